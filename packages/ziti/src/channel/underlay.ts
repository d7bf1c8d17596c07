// What carries a channel: one TLS connection that shows our certificate, straight on TCP (`tls:`) or inside the messages of a
// WebSocket (`wss:`), either way through a proxy where one is set. Whoever opens one owns it: on failure nothing stays open.

import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/** Frames go in and out here. */
export type Underlay = Duplex;

export interface SocketTarget {
  /** Name or address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Opens the way to a host, if not the direct one (undefined). */
export type OpenSocket = (target: SocketTarget, signal?: AbortSignal) => Promise<Socket | undefined>;

export interface RouterAddress extends SocketTarget {
  readonly scheme: 'tls' | 'wss';
}

/** What we show to a router and trust of it; a ZitiIdentity is one. */
export interface ChannelIdentity {
  readonly keyPem: string;
  /** The chain, leaf first. */
  readonly certPem: string;
  /** All CA certificates. Empty: the trust store of the runtime. */
  readonly caPem: string;
}

export interface UnderlayOptions {
  readonly address: RouterAddress;
  readonly identity: ChannelIdentity;
  /** Its reason is what an opening that it ends rejects with. */
  readonly signal: AbortSignal;
  readonly openSocket: OpenSocket | undefined;
  /** Begins the error texts. */
  readonly peer: string;
}

const ROUTER_URL = /^([a-z]+):(?:\/\/)?(?:\[([0-9a-f:.]+)\]|([^/:@?#[\]\s]+)):([0-9]{1,5})\/?$/i;

/** `tls:host:port`, `tls://host:port`, `wss://[::1]:443`. Throws `router_url_unsupported`. */
export function parseRouterUrl(url: string): RouterAddress {
  const [, scheme, ipv6, name, digits] = (url.length <= LIMITS.urlChars && ROUTER_URL.exec(url)) || [];
  const host = ipv6 ?? name;
  const port = Number(digits);
  const known = scheme?.toLowerCase();
  if ((known !== 'tls' && known !== 'wss') || !host || (ipv6 && isIP(ipv6) !== 6) || port < 1 || port > 65_535) {
    throw new ZitiError(
      'router_url_unsupported',
      `this is no address of an edge router that we can use: ${shown(url)}`,
      {
        hint: 'supported are tls:host:port and wss:host:port',
      },
    );
  }
  return { scheme: known, host, port };
}

/** As it stands in an HTTP request and in messages. */
export function hostPort({ host, port }: SocketTarget): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function shown(url: string): string {
  return JSON.stringify(url.slice(0, LIMITS.quotedChars));
}
