// The certificate that a controller shows, fetched without trusting it: the token's signature tells whether it is the one.

import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { OpenSocket } from '../channel/underlay.ts';
import { REQUEST_TIMEOUT_MS } from '../controller/rest-client.ts';
import { aborted, timedOut, unreachable } from '../controller/unanswered.ts';

export interface FetchOptions {
  readonly openSocket?: OpenSocket | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Nothing is sent but the handshake. */
export async function fetchServerCertificate(controller: string, options: FetchOptions = {}): Promise<X509Certificate> {
  const { signal, timeoutMs = REQUEST_TIMEOUT_MS } = options;
  const url = new URL(controller);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || 443);
  const carrier = await options.openSocket?.({ host, port });
  return new Promise((resolve, reject) => {
    // Like the requests that follow: a controller may share its port between protocols.
    const common = {
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: false,
      ...(isIP(host) ? {} : { servername: host }),
    };
    const socket: TLSSocket = connect(carrier ? { socket: carrier, ...common } : { host, port, ...common });
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      settle();
      socket.destroy();
    };
    const onAbort = (): void => finish(() => reject(aborted(signal?.reason)));
    const timer = setTimeout(() => finish(() => reject(timedOut(url.host, timeoutMs))), timeoutMs);
    socket.on('error', (error) => finish(() => reject(unreachable(url.host, error))));
    socket.on('close', () => finish(() => reject(unreachable(url.host, new Error('connection closed')))));
    socket.on('secureConnect', () => {
      const certificate = socket.getPeerX509Certificate();
      finish(() => (certificate ? resolve(certificate) : reject(unreachable(url.host, new Error('no certificate')))));
    });
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort);
  });
}
