// Which keys and signature algorithms are believed, and the one check of a signature by an issuer. Sizes are looked at
// before a key is ever used: a check with an absurd key costs more than the peer that sent it.

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { PROOF_LIMITS } from '../limits.ts';
import { malformed } from './der.ts';

interface Algorithm {
  readonly key: 'rsa' | 'ec' | 'ed25519';
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
}

/** RFC 4055, 5758, 8410. No SHA-1, no MD5; nobody's CA signs with RSASSA-PSS by default. */
const ALGORITHMS: Readonly<Record<string, Algorithm>> = {
  '1.2.840.113549.1.1.11': { key: 'rsa', hash: 'sha256' },
  '1.2.840.113549.1.1.12': { key: 'rsa', hash: 'sha384' },
  '1.2.840.113549.1.1.13': { key: 'rsa', hash: 'sha512' },
  '1.2.840.10045.4.3.2': { key: 'ec', hash: 'sha256' },
  '1.2.840.10045.4.3.3': { key: 'ec', hash: 'sha384' },
  '1.2.840.10045.4.3.4': { key: 'ec', hash: 'sha512' },
  '1.3.101.112': { key: 'ed25519', hash: null },
};

const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

export interface Signed {
  /** What was signed. */
  readonly content: Buffer;
  /** Dotted. */
  readonly algorithm: string;
  readonly signature: Buffer;
}

/** From the DER of a SubjectPublicKeyInfo. Throws `proof_malformed`, `proof_key_refused`. */
export function publicKeyOf(spki: Buffer, who: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    throw malformed(`the key of ${who}`);
  }
  checkKey(key, who);
  return key;
}

/** Throws `proof_key_refused`. */
export function checkKey(key: KeyObject, who: string): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  const { rsaMinBits, rsaMaxBits, rsaMaxExponent } = PROOF_LIMITS;
  if (type === 'ed25519') return;
  if (type === 'ec') {
    if (CURVES.has(details.namedCurve ?? '')) return;
    throw refused(who, `is on the curve ${details.namedCurve ?? 'of its own making'}`);
  }
  if (type !== 'rsa') throw refused(who, `is of type ${type}`);
  const { modulusLength: bits = 0, publicExponent = 0n } = details;
  if (bits < rsaMinBits || bits > rsaMaxBits) throw refused(who, `has ${bits} bits`);
  if (publicExponent < 3n || publicExponent > BigInt(rsaMaxExponent)) {
    throw refused(who, 'has an exponent that nobody uses');
  }
}

/** Whether the holder of this key signed it. Throws `proof_key_refused` for an algorithm that is not believed. */
export function isSignedBy({ content, algorithm, signature }: Signed, key: KeyObject, who: string): boolean {
  const known = Object.hasOwn(ALGORITHMS, algorithm) ? ALGORITHMS[algorithm] : undefined;
  if (!known) {
    throw new OverlayError(
      'proof_key_refused',
      `${who} is signed with an algorithm that is not believed (${algorithm})`,
    );
  }
  if (known.key !== key.asymmetricKeyType) return false;
  return verify(known.hash, content, key, signature);
}

function refused(who: string, why: string): OverlayError {
  return new OverlayError('proof_key_refused', `the key of ${who} ${why}`, {
    hint: 'use an EC key (P-256, P-384, P-521), Ed25519, or RSA with 2048 to 8192 bits',
  });
}
