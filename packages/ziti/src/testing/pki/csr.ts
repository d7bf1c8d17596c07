// Reading a PKCS#10 request (RFC 2986) as a controller does: its name, its key, and the proof that the key is the asker's.

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { oid, readElement, readElements, TAG } from './der.ts';

export interface SigningRequest {
  /** DER of the Name as it was asked for. */
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
}

/** Signature algorithm → digest; null where the algorithm brings its own. */
const DIGESTS: ReadonlyMap<string, string | null> = new Map([
  [oid('1.2.840.10045.4.3.2').toString('hex'), 'sha256'],
  [oid('1.2.840.10045.4.3.3').toString('hex'), 'sha384'],
  [oid('1.2.840.10045.4.3.4').toString('hex'), 'sha512'],
  [oid('1.2.840.113549.1.1.11').toString('hex'), 'sha256'],
  [oid('1.2.840.113549.1.1.12').toString('hex'), 'sha384'],
  [oid('1.2.840.113549.1.1.13').toString('hex'), 'sha512'],
  [oid('1.3.101.112').toString('hex'), null],
]);

/** Throws with the words of ziti common/cert where they are recorded. */
export function readSigningRequest(pemText: string): SigningRequest {
  const pattern = /-----BEGIN CERTIFICATE REQUEST-----\s+([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE REQUEST-----\r?\n?/;
  const found = pattern.exec(pemText);
  if (!found) throw new Error('could not decode csrPem as PEM');
  if (found.index + found[0].length < pemText.length) throw new Error('unexpected PEM blocks at end of CSR');
  const [info, algorithm, signature] = readElements(readElement(Buffer.from(found[1] ?? '', 'base64')).body);
  if (info?.tag !== TAG.sequence || !algorithm || signature?.tag !== TAG.bitString) throw new Error('malformed CSR');
  const [version, subject, spki] = readElements(info.body);
  if (version?.tag !== TAG.integer || subject?.tag !== TAG.sequence || !spki) throw new Error('malformed CSR');
  const publicKey = createPublicKey({ key: spki.whole, format: 'der', type: 'spki' });
  const digest = DIGESTS.get(readElement(algorithm.body).whole.toString('hex'));
  if (digest === undefined) throw new Error('unsupported signature algorithm in CSR');
  if (!verify(digest, info.whole, publicKey, signature.body.subarray(1))) throw new Error('invalid signature on CSR');
  return { subject: subject.whole, publicKey };
}
