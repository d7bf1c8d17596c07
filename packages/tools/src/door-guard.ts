// Who may knock at the loopback door: the right Host, no foreign Origin, the share's secret. A web page in the browser of
// the same machine can reach loopback and rebind names to it, so each of the three is checked before anything is read.

import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Bind } from './bind.ts';

export interface DoorGuardOptions {
  readonly bind: Bind;
  /** undefined: --no-auth, knowingly. */
  readonly secret: string | undefined;
  /** Further origins, as `scheme://host[:port]`. */
  readonly allowOrigins: readonly string[];
}

export type Verdict =
  /** The request's path without the secret, as the transports expect it. */
  { readonly pass: true } | { readonly pass: false; readonly status: 403 | 404; readonly text: string };

const NOT_FOUND: Verdict = { pass: false, status: 404, text: 'not found' };

export function doorGuard({ bind, secret, allowOrigins }: DoorGuardOptions): (request: IncomingMessage) => Verdict {
  const hosts = bind.kind === 'tcp' ? hostsOf(bind.host, bind.port) : undefined;
  const origins = new Set([...(hosts ?? []).map((host) => `http://${host}`), ...allowOrigins]);
  return (request) => {
    const { host, origin, authorization } = request.headers;
    if (hosts && !(host !== undefined && hosts.includes(host.toLowerCase()))) {
      return { pass: false, status: 403, text: 'this host name is not served here' };
    }
    if (origin !== undefined && !origins.has(origin.toLowerCase())) {
      return { pass: false, status: 403, text: 'this origin is not allowed; --allow-origin lets one in' };
    }
    // A browser asks first whether its page may, and never shows a bearer with that question.
    if (request.method === 'OPTIONS' && origin !== undefined) return { pass: true };
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    const known = ['/mcp', '/sse', '/message'];
    // Without a secret also the bare address, as the Go original's guide has it pasted.
    if (secret === undefined) return path === '/' || known.includes(path) ? { pass: true } : NOT_FOUND;
    const prefix = path.slice(0, path.lastIndexOf('/'));
    const door = path.slice(prefix.length);
    if (!known.includes(door)) return NOT_FOUND;
    if (prefix !== '') return sameSecret(prefix.slice(1), secret) ? { pass: true } : NOT_FOUND;
    const bearer = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    // 404, not 401: a 401 would send MCP clients into an OAuth dance that leads nowhere.
    return bearer !== undefined && sameSecret(bearer, secret) ? { pass: true } : NOT_FOUND;
  };
}

function hostsOf(host: string, port: number): string[] {
  const names = host === '::1' ? ['[::1]', 'localhost'] : ['127.0.0.1', 'localhost'];
  // Port 80 is left out of Host and Origin by every client.
  return names.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`]));
}

function sameSecret(given: string, secret: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(secret);
  return a.length === b.length && timingSafeEqual(a, b);
}
