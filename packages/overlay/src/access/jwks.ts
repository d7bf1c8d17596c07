// The public keys of one issuer: a file that is read again when it changes, or a URL that is asked now and then, and once
// more for a key that nobody knows yet, at a bounded rate. Keys that are not for signatures, or symmetric, are left out.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createLocalJWKSet, type JSONWebKeySet, type JWK } from 'jose';
import { OverlayError } from '../errors.ts';
import { ACCESS_LIMITS } from '../limits.ts';
import { rereadFile } from '../proof/mark.ts';

export interface KeySet {
  /** Finds the key of a token for `jose`. */
  readonly find: ReturnType<typeof createLocalJWKSet>;
  /** Of every key in it. */
  readonly prints: ReadonlySet<string>;
}

export interface KeySource {
  current(): Promise<KeySet>;
  /** Asks again for a key that is not there, if it was not asked for that a moment ago. */
  newer(): Promise<KeySet>;
}

export interface KeySourceOptions {
  /** Absolute path, or URL. */
  readonly jwks: string;
  readonly log: { warn(fields: object, event: string): void };
  readonly now: () => number;
}

const FETCH_MS = 5000;
/** A URL is asked this often while somebody uses it … */
const REFRESH_MS = 5 * 60_000;
/** … and not more often than that, whatever strangers send. */
const AT_MOST_MS = 30_000;
const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])$/;

/** Why a text cannot be where keys come from; undefined: it can. */
export function jwksRefusal(jwks: string): string | undefined {
  if (!/^[a-z]+:\/\//i.test(jwks)) return undefined;
  if (!URL.canParse(jwks)) return 'it is no URL';
  const { protocol, hostname } = new URL(jwks);
  if (protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname))) return undefined;
  return 'anybody on the way could put in keys: https://, or http:// on this machine';
}

/** Rejects `jwt_keys_unavailable` for a file that cannot be read; a URL is not asked yet. */
export async function openKeySource(options: KeySourceOptions): Promise<KeySource> {
  const { jwks, log } = options;
  const refused = jwksRefusal(jwks);
  if (refused !== undefined) throw new OverlayError('jwt_keys_unavailable', `${jwks}: ${refused}`);
  if (/^https?:/i.test(jwks)) return urlSource(options);
  const file = await rereadFile(jwks, readKeyFile, (path, error) => {
    log.warn({ file: path, error: String(error) }, 'file cannot be read again, its former contents stay in force');
  });
  return { current: file, newer: file };
}

function urlSource({ jwks, log, now }: KeySourceOptions): KeySource {
  let known: KeySet | undefined;
  let asked = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;
  let failure: unknown;
  const ask = async (): Promise<void> => {
    asked = now();
    try {
      known = keySet(await fetchText(jwks), jwks);
    } catch (error) {
      failure = error;
      log.warn({ jwks, error: (error as Error).message }, 'keys of an issuer cannot be had');
    } finally {
      asking = undefined;
    }
  };
  const within = async (ms: number): Promise<KeySet> => {
    if (now() - asked > ms || now() < asked) asking ??= ask();
    // What is known serves while it is asked again; a key that is not there has to be waited for.
    if (asking && (!known || ms === AT_MOST_MS)) await asking;
    if (known) return known;
    throw new OverlayError('jwt_keys_unavailable', `the keys of ${jwks} cannot be had`, { cause: failure });
  };
  return { current: () => within(REFRESH_MS), newer: () => within(AT_MOST_MS) };
}

async function fetchText(url: string): Promise<string> {
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(FETCH_MS),
    headers: { accept: 'application/jwk-set+json, application/json' },
  });
  if (!response.ok || !response.body) throw new Error(`it answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > ACCESS_LIMITS.jwksBytes) throw new Error('its answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function readKeyFile(file: string): Promise<KeySet> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new OverlayError('jwt_keys_unavailable', `${file} cannot be read (${error.code})`);
  });
  return keySet(text, file);
}

function keySet(text: string, from: string): KeySet {
  const invalid = (why: string): OverlayError => new OverlayError('jwt_keys_unavailable', `${from} ${why}`);
  if (text.length > ACCESS_LIMITS.jwksBytes) throw invalid('is too large for a set of keys');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('is no JSON');
  }
  const { keys } = (value ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length > ACCESS_LIMITS.jwksKeys) throw invalid('is no set of keys (JWKS)');
  const usable = (keys as JWK[]).filter(isForSignatures);
  return { find: createLocalJWKSet({ keys: usable } as JSONWebKeySet), prints: new Set(usable.map(printOf)) };
}

/** A secret among public keys would make every reader a maker. */
function isForSignatures(key: JWK): boolean {
  const asymmetric = key?.kty === 'RSA' || key?.kty === 'EC' || key?.kty === 'OKP';
  return asymmetric && (key.use === undefined || key.use === 'sig') && key.d === undefined;
}

/** RFC 7638: what a key is, whatever it is called. */
export function printOf({ kty, crv, x, y, n, e }: JWK): string {
  const members = kty === 'RSA' ? { e, kty, n } : kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url');
}
