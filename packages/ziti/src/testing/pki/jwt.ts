// JSON Web Tokens signed with ES256 (RFC 7515): enrolment tokens, OIDC tokens, service sessions.

import { createHash, type KeyObject, sign, verify } from 'node:crypto';

export type Claims = Readonly<Record<string, unknown>>;

export interface JwtKey {
  /** Hex SHA-1 of the certificate (ziti controller/env/appenv.go). */
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function fingerprint(certificate: Uint8Array): string {
  return createHash('sha1').update(certificate).digest('hex');
}

export function signJwt(claims: Claims, key: JwtKey): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = `${part({ alg: 'ES256', kid: key.id, typ: 'JWT' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(head), { key: key.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${head}.${signature.toString('base64url')}`;
}

/** The claims of a token that one of the keys signed, whatever its times; undefined for everything else. */
export function readJwt(token: string, keys: readonly JwtKey[]): Claims | undefined {
  const [header, payload, signature, more] = token.split('.');
  if (!header || !payload || !signature || more !== undefined) return undefined;
  try {
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { kid?: unknown };
    const key = keys.find(({ id }) => id === kid);
    if (!key) return undefined;
    const asked = { key: key.publicKey, dsaEncoding: 'ieee-p1363' } as const;
    if (!verify('sha256', Buffer.from(`${header}.${payload}`), asked, Buffer.from(signature, 'base64url')))
      return undefined;
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return typeof claims === 'object' && claims !== null ? (claims as Claims) : undefined;
  } catch {
    return undefined;
  }
}
