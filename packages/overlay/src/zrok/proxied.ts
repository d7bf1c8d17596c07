// The way to an https controller through the proxy that HTTPS_PROXY names, the same as the OpenZiti client takes. Loaded only
// where such a variable is set.

import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { proxyFromEnvironment } from '@mcp-overlay/ziti';
import { overlayError } from '../ziti/refusals.ts';

/** undefined: NO_PROXY excepts this host. */
export async function proxied(url: URL, signal: AbortSignal): Promise<Duplex | undefined> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  try {
    const socket = await proxyFromEnvironment()?.({ host, port: Number(url.port || 443) }, signal);
    return socket && connect({ socket, ...(isIP(host) ? {} : { servername: host }) });
  } catch (error) {
    throw overlayError(error);
  }
}
