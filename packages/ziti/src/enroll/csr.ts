// A PKCS#10 certificate request (RFC 2986): version, subject, public key, no attributes, signed with the key itself. The
// controller keeps the subject, adds a SPIFFE id and demands exactly one PEM block (openziti/ziti common/cert).

import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { toPem } from '../pem.ts';
import { bitString, der, oid, TAG } from './der.ts';

const NULL = Uint8Array.of(TAG.null, 0);

/** Signature algorithms of RFC 5758, 4055 and 8410; parameters are absent but for RSA. */
const ALGORITHMS = {
  prime256v1: { hash: 'sha256', id: der(TAG.sequence, oid('1.2.840.10045.4.3.2')) },
  secp384r1: { hash: 'sha384', id: der(TAG.sequence, oid('1.2.840.10045.4.3.3')) },
  secp521r1: { hash: 'sha512', id: der(TAG.sequence, oid('1.2.840.10045.4.3.4')) },
  rsa: { hash: 'sha256', id: der(TAG.sequence, oid('1.2.840.113549.1.1.11'), NULL) },
  ed25519: { hash: undefined, id: der(TAG.sequence, oid('1.3.101.112')) },
} as const;

export function certificateRequest(key: KeyObject, commonName: string): string {
  const { hash, id } = algorithmOf(key);
  const info = der(
    TAG.sequence,
    der(TAG.integer, Uint8Array.of(0)),
    der(TAG.sequence, attribute('2.5.4.10', 'OpenZiti'), attribute('2.5.4.3', commonName)),
    createPublicKey(key).export({ type: 'spki', format: 'der' }),
    der(TAG.context0),
  );
  return toPem('CERTIFICATE REQUEST', der(TAG.sequence, info, id, bitString(sign(hash, info, key))));
}

function algorithmOf(key: KeyObject): (typeof ALGORITHMS)[keyof typeof ALGORITHMS] {
  const kind = key.asymmetricKeyType === 'ec' ? key.asymmetricKeyDetails?.namedCurve : key.asymmetricKeyType;
  const algorithm = ALGORITHMS[kind as keyof typeof ALGORITHMS];
  if (algorithm === undefined) throw new TypeError(`no certificate request for keys of type ${kind}`);
  return algorithm;
}

function attribute(type: string, value: string): Uint8Array {
  return der(TAG.set, der(TAG.sequence, oid(type), der(TAG.utf8, Buffer.from(value))));
}
