// Ed25519 keys of tokens: that of the gateway, those of holders, and the fresh ones that travel with bearers. A public key
// is written `mcpk1_…`, a private one as PEM (what `openssl genpkey -algorithm ed25519` makes) or, inside a token, as seed.
// Raw bytes go in and out as JWK (RFC 8037), which takes a seventh of the time that DER takes with OpenSSL 3.

import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { fromBase64Url } from './bytes.ts';

const CURVE = { kty: 'OKP', crv: 'Ed25519' } as const;
const KEY_BYTES = 32;
const PUBLIC_MARK = 'mcpk1_';

/** From a seed (RFC 8032 5.1.5: any 32 random bytes). A key out of `generateKeyPairSync` shares a lock with the job that made it:
 *  if that is collected while the key is exported as JWK, Node 20 waits for itself for ever (crypto_keygen.h, ~KeyPairGenConfig). */
export function newKey(): KeyObject {
  return keyOfSeed(randomBytes(KEY_BYTES));
}

/** The 32 bytes of the public part, of either part. */
export function publicBytes(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
}

export function publicKey(bytes: Buffer): KeyObject {
  return createPublicKey({ key: { ...CURVE, x: bytes.toString('base64url') }, format: 'jwk' });
}

export function seedOf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url');
}

/** Its public part follows from the seed; what is said of it here is not looked at. */
export function keyOfSeed(seed: Buffer): KeyObject {
  return createPrivateKey({ key: { ...CURVE, x: '', d: seed.toString('base64url') }, format: 'jwk' });
}

/** How a holder tells his key to whoever makes a token for him. */
export function keyText(key: KeyObject): string {
  return `${PUBLIC_MARK}${publicBytes(key).toString('base64url')}`;
}

/** Throws `access_key_invalid`. */
export function keyFromText(text: string): KeyObject {
  const bytes = text.startsWith(PUBLIC_MARK) ? fromBase64Url(text.slice(PUBLIC_MARK.length)) : undefined;
  if (bytes?.length !== KEY_BYTES) {
    throw new OverlayError('access_key_invalid', 'this is no key of a holder', {
      hint: 'it begins with mcpk1_, as mcp-tools key prints it',
    });
  }
  return publicKey(bytes);
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** `from`: for messages; what the file holds is in none. Throws `access_key_invalid`. */
export function keyFromPem(pem: string | Buffer, from: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // The system's words for it may quote the file.
  }
  throw new OverlayError('access_key_invalid', `${from} holds no Ed25519 key in PEM`, {
    hint: 'make one with: mcp-tools key FILE',
  });
}

/** 32 bytes, of a seed or a public key. */
export function isKeyBytes(bytes: Buffer | undefined): bytes is Buffer {
  return bytes?.length === KEY_BYTES;
}
