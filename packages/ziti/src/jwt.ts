// JSON web tokens as far as we read them: enrollment tokens, which a controller signed with the key of its server
// certificate, and the id token of an OIDC login. Algorithms of RFC 7518 3.1 and RFC 8037; the key decides which one may
// be used, never the token alone.

import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { isRecord } from './json.ts';
import { LIMITS } from './limits.ts';

export interface Jwt {
  readonly alg: string;
  readonly kid: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

const PART = /^[A-Za-z0-9_-]+$/;
const CURVES: Readonly<Record<string, string>> = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' };

/** Nothing is verified. Throws an Error that says what is wrong and quotes nothing. */
export function decodeJwt(text: string): Jwt {
  if (text.length > LIMITS.jwtBytes) throw new Error(`longer than ${LIMITS.jwtBytes} characters`);
  const parts = text.split('.', 4);
  const [head = '', body = '', signature = ''] = parts;
  if (parts.length !== 3 || !parts.every((part) => PART.test(part))) throw new Error('not a JSON web token');
  const header = objectOf(head);
  if (typeof header.alg !== 'string') throw new Error('a JSON web token without algorithm');
  return {
    alg: header.alg,
    kid: typeof header.kid === 'string' ? header.kid : undefined,
    claims: objectOf(body),
    signed: Buffer.from(`${head}.${body}`),
    signature: Buffer.from(signature, 'base64url'),
  };
}

export function isSignedBy(jwt: Jwt, key: KeyObject): boolean {
  const { alg, signed, signature } = jwt;
  const hash = `sha${alg.slice(2)}`;
  try {
    switch (key.asymmetricKeyType) {
      case 'rsa':
        if (/^RS(256|384|512)$/.test(alg)) return verify(hash, signed, key, signature);
        if (!/^PS(256|384|512)$/.test(alg)) return false;
        return verify(hash, signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING }, signature);
      case 'ec':
        if (CURVES[alg] === undefined || CURVES[alg] !== key.asymmetricKeyDetails?.namedCurve) return false;
        return verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature);
      case 'ed25519':
        return alg === 'EdDSA' && verify(null, signed, key, signature);
      default:
        return false;
    }
  } catch {
    return false;
  }
}

/** The keys of a JWK set that may have signed the token: those of its `kid`, or all when it names none. */
export function keysFor(jwt: Jwt, set: unknown): KeyObject[] {
  const keys = isRecord(set) && Array.isArray(set.keys) ? set.keys.slice(0, LIMITS.certificates) : [];
  return keys.flatMap((jwk: unknown) => {
    if (!isRecord(jwk) || (jwt.kid !== undefined && jwk.kid !== jwt.kid)) return [];
    try {
      return [createPublicKey({ key: jwk, format: 'jwk' })];
    } catch {
      return [];
    }
  });
}

/** A time claim (seconds) in milliseconds. */
export function timeClaim(claims: Jwt['claims'], name: 'exp' | 'iat' | 'nbf'): number | undefined {
  const value = claims[name];
  return typeof value === 'number' && Number.isFinite(value) ? value * 1000 : undefined;
}

function objectOf(part: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(part, 'base64url')));
  } catch {
    throw new Error('a JSON web token whose parts are not JSON');
  }
  if (!isRecord(value)) throw new Error('a JSON web token whose parts are not objects');
  return value;
}
