// The routers that a controller lists, in one form. Real lists hold null, routers that are off line and without address, and
// two spellings of an address (`tls://host:port`, `tls:host:port`).

import { isIPv6 } from 'node:net';
import { isRecord, recordsOf, textOf } from '../json.ts';
import { LIMITS } from '../limits.ts';
import type { EdgeRouterInfo } from './types.ts';

/** In the order in which we would use them. `ws` entries are for browsers, others unknown to us. */
const PROTOCOLS = ['tls', 'wss'] as const;

/** `data.edgeRouters`; null counts as none. */
export function edgeRoutersOf(data: Record<string, unknown>): EdgeRouterInfo[] {
  return recordsOf(data, 'edgeRouters')
    .slice(0, LIMITS.routersPerSession)
    .map((router) => ({
      name: textOf(router, 'name') ?? textOf(router, 'hostname') ?? '?',
      urls: addressesOf(router),
      online: router.isOnline === true && router.disabled !== true,
    }));
}

function addressesOf(router: Record<string, unknown>): string[] {
  const current = isRecord(router.supportedProtocols) ? router.supportedProtocols : {};
  const named = Object.keys(current).length > 0 || !isRecord(router.urls) ? current : router.urls;
  const found = Object.values(named).flatMap((url) => (typeof url === 'string' ? (routerUrl(url) ?? []) : []));
  const rank = (url: string): number => PROTOCOLS.findIndex((protocol) => url.startsWith(`${protocol}:`));
  return [...new Set(found)].sort((a, b) => rank(a) - rank(b));
}

/** `tls:host:port` with IPv6 in brackets; undefined for everything we cannot dial. */
export function routerUrl(text: string): string | undefined {
  if (text.length > LIMITS.urlChars) return undefined;
  const [, scheme = '', bracketed, plain = '', digits = ''] =
    /^([a-z]+):(?:\/\/)?(?:\[([^\]/]+)\]|([^[\]/]+)):(\d{1,5})(?:\/.*)?$/i.exec(text.trim()) ?? [];
  const protocol = PROTOCOLS.find((known) => known === scheme.toLowerCase());
  const port = Number(digits);
  const host = (bracketed ?? plain).toLowerCase();
  if (protocol === undefined || port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined) return isIPv6(host) ? `${protocol}:[${host}]:${port}` : undefined;
  // A name or IPv4: nothing that could be read as another part of an address.
  return /^[a-z0-9._-]+$/.test(host) ? `${protocol}:${host}:${port}` : undefined;
}
