// JSON web tokens made by the test, with any key and any lie.

import { constants, type KeyObject, sign } from 'node:crypto';

export interface TokenOptions {
  readonly alg?: string;
  readonly kid?: string;
  /** The signature is made with this one whatever `alg` says. */
  readonly hash?: string | null;
}

const DEFAULTS: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

export function makeToken(claims: object, key: KeyObject, options: TokenOptions = {}): string {
  const { asymmetricKeyType: kind, asymmetricKeyDetails } = key;
  const usual =
    kind === 'rsa' ? 'RS256' : kind === 'ed25519' ? 'EdDSA' : DEFAULTS[asymmetricKeyDetails?.namedCurve ?? ''];
  const alg = options.alg ?? usual ?? 'none';
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = `${part({ alg, typ: 'JWT', ...(options.kid ? { kid: options.kid } : {}) })}.${part(claims)}`;
  const hash = options.hash !== undefined ? options.hash : alg === 'EdDSA' ? null : `sha${alg.slice(2)}`;
  const form =
    kind === 'ec'
      ? ({ key, dsaEncoding: 'ieee-p1363' } as const)
      : alg.startsWith('PS')
        ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
        : key;
  return `${head}.${sign(hash, Buffer.from(head), form).toString('base64url')}`;
}
