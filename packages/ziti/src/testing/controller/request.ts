// One request to a controller, read to its end, with who asked: the certificate of the connection, the login of the header.

import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { fingerprint } from '../pki/jwt.ts';
import { loginOf, touch } from '../state/login.ts';
import type { NetworkState } from '../state/network-state.ts';
import type { ApiSession, Identity } from '../state/records.ts';
import { ApiError, invalidField, unauthorized, unreadable } from './answer.ts';

export interface ApiRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly remote: string;
  /** Fingerprints of the chain that the client showed, leaf first; empty without certificate. */
  readonly fingerprints: readonly string[];
}

/** Ours are small; who sends more is refused as a real one refuses it. */
const MAX_BODY_BYTES = 1024 * 1024;

export async function readRequest(message: IncomingMessage): Promise<ApiRequest> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new ApiError(413, 'REQUEST_ENTITY_TOO_LARGE', 'the request body is too large');
    chunks.push(chunk);
  }
  const url = new URL(message.url ?? '/', 'https://controller');
  return {
    method: message.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    headers: message.headers,
    body: Buffer.concat(chunks),
    remote: `${message.socket.remoteAddress}:${message.socket.remotePort}`,
    fingerprints: shownChain(message.socket as TLSSocket),
  };
}

export function jsonBody(request: ApiRequest): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(request.body.toString());
  } catch {
    throw unreadable('parsing body failed, because it is no JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidField('body', 'no object', value);
  return value as Record<string, unknown>;
}

export function formBody(request: ApiRequest): URLSearchParams {
  return new URLSearchParams(request.body.toString());
}

/** Who the certificate belongs to. */
export function shownIdentity(state: NetworkState, request: ApiRequest): Identity | undefined {
  return state.identityWith(request.fingerprints[0]);
}

/** The login of `zt-session` or `authorization: Bearer`; throws 401. A legacy one is known only where it was made. */
export function loggedIn(state: NetworkState, request: ApiRequest, controller: number): ApiSession {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const legacy = request.headers['zt-session'];
  const token = bearer ?? (typeof legacy === 'string' ? legacy : undefined);
  if (token === undefined) throw unauthorized('unauthenticated for invalid credentials');
  const login = loginOf(state, token);
  if ('refused' in login) {
    // 1.6.0 stumbles over an identity that is gone.
    if (login.refused === 'identity-gone' && request.path.endsWith('/sessions')) {
      throw new ApiError(500, undefined, 'An unhandled error occurred');
    }
    throw unauthorized();
  }
  const { session } = login;
  if (session.kind === 'legacy' && session.controller !== controller) throw unauthorized();
  // A certificate need not be shown again, but another one may not.
  const [leaf] = request.fingerprints;
  if (leaf !== undefined && !session.identity.fingerprints.has(leaf)) throw unauthorized();
  touch(state, session);
  return session;
}

function shownChain(socket: TLSSocket): string[] {
  const chain: string[] = [];
  let certificate = socket.getPeerCertificate(true);
  while (certificate?.raw) {
    const print = fingerprint(certificate.raw);
    if (chain.includes(print)) break;
    chain.push(print);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
