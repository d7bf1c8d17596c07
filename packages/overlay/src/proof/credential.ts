// What this end proves itself with: a certificate chain and its key. From a PEM file, or from whatever a driver has.

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { readCertificate } from '../x509/certificate.ts';
import { type PemBlock, pemBlocks } from '../x509/pem.ts';
import { checkKey } from '../x509/signed.ts';

export interface Credential {
  /** DER, leaf first, without the root. */
  readonly chain: readonly Buffer[];
  readonly key: KeyObject;
}

/** PEM with a certificate, its key and what stands between it and its CA, in any order. Throws `identity_invalid`. */
export function credentialFromPem(text: string, file: string): Credential {
  const blocks = pemBlocks(text);
  const keys = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  const [only] = keys;
  if (!only || keys.length > 1) {
    throw invalid(file, only ? 'holds more than one private key' : 'holds no private key');
  }
  return credentialOf(
    blocks.filter(({ label }) => label === 'CERTIFICATE').map(({ der }) => der),
    privateKey(only, file),
    file,
  );
}

/** `certificates`: DER in any order. `from`: for messages. Throws `identity_invalid`. */
export function credentialOf(certificates: readonly Buffer[], key: KeyObject, from: string): Credential {
  try {
    const read = certificates.map((der, at) => readCertificate(der, `certificate ${at + 1}`));
    const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
    const leaf = read.find((certificate) => certificate.spki.equals(spki));
    if (!leaf) throw invalid(from, read.length === 0 ? 'holds no certificate' : 'holds no certificate for its key');
    checkKey(key, from);
    const above = read.filter((one) => one !== leaf && !one.subjectBytes.equals(one.issuerBytes));
    return { chain: [leaf, ...above].map(({ der }) => der), key };
  } catch (error) {
    if (!(error instanceof OverlayError) || error.code === 'identity_invalid') throw error;
    throw new OverlayError('identity_invalid', `${from}: ${error.message}`, { cause: error });
  }
}

function privateKey({ label, text }: PemBlock, file: string): KeyObject {
  if (label.startsWith('ENCRYPTED') || text.includes('ENCRYPTED')) {
    throw invalid(
      file,
      'holds a key under a passphrase, and nobody is there to ask',
      'openssl pkey -in FILE -out PLAIN',
    );
  }
  try {
    return createPrivateKey(text);
  } catch {
    // The system's words for it may quote the file.
    throw invalid(file, 'holds a private key that cannot be read');
  }
}

function invalid(file: string, why: string, hint = 'expected PEM with a certificate and its key'): OverlayError {
  return new OverlayError('identity_invalid', `${file} ${why}`, { hint });
}
