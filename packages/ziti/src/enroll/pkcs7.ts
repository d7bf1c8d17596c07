// The CA bundle of a controller: certificates in a PKCS#7 SignedData without signatures (RFC 2315 9.1, RFC 7030 4.1.3),
// base64 in lines. Five levels are opened by name, nothing else is looked at.
//   ContentInfo { signedData, [0] { SignedData { version, digests, content, [0] certificates, … } } }

import { X509Certificate } from 'node:crypto';
import { LIMITS } from '../limits.ts';
import { type DerValue, derValues, oid, readDer, TAG } from './der.ts';

const SIGNED_DATA = Buffer.from(oid('1.2.840.113549.1.7.2'));
const BASE64 = /^[A-Za-z0-9+/=\r\n\t ]*$/;

/** The answer's body to certificates; throws an Error that says what is wrong. */
export function certificatesOfBundle(body: Uint8Array): X509Certificate[] {
  if (body.length > LIMITS.derBytes) throw new Error(`larger than ${LIMITS.derBytes} bytes`);
  // DER begins with 0x30, its base64 with "M".
  const certificates = certificatesOfPkcs7(body[0] === TAG.sequence ? body : fromBase64(body));
  return certificates.map((certificate, at) => {
    try {
      return new X509Certificate(certificate);
    } catch (cause) {
      throw new Error(`certificate ${at + 1} cannot be read`, { cause });
    }
  });
}

/** Each certificate, still DER. */
export function certificatesOfPkcs7(bytes: Uint8Array): Uint8Array[] {
  const [type, wrapped] = members(readDer(bytes), TAG.sequence, 'ContentInfo', 2);
  if (type === undefined || !SIGNED_DATA.equals(type.whole)) throw new Error('no PKCS#7 SignedData');
  const [signedData] = members(wrapped, TAG.context0, 'content', 1);
  const [, , , certificates] = members(signedData, TAG.sequence, 'SignedData', 4);
  if (certificates?.tag !== TAG.context0) throw new Error('PKCS#7 without certificates');
  const found: Uint8Array[] = [];
  for (const { tag, whole } of derValues(certificates.content)) {
    // Other choices (attribute certificates) have tags of their own.
    if (tag !== TAG.sequence) continue;
    if (found.length === LIMITS.certificates) throw new Error(`more than ${LIMITS.certificates} certificates`);
    found.push(whole);
  }
  return found;
}

function fromBase64(body: Uint8Array): Uint8Array {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  if (!BASE64.test(text)) throw new Error('neither DER nor base64');
  return Buffer.from(text, 'base64');
}

/** The first `count` values inside `value`. */
function members(value: DerValue | undefined, tag: number, name: string, count: number): DerValue[] {
  if (value?.tag !== tag) throw new Error(`PKCS#7: ${name} is missing`);
  const found: DerValue[] = [];
  for (const member of derValues(value.content)) {
    found.push(member);
    if (found.length === count) break;
  }
  return found;
}
