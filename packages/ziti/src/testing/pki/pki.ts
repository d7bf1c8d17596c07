// The certificate authorities of one test network: a root, an intermediate that signs, and what they issue.

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import type { CertificateRequest, IssuedCertificate, TestPki } from '../types.ts';
import { nameOf, signCertificate } from './certificate.ts';
import { pem } from './der.ts';

const DAY_MS = 86_400_000;

export interface Pki extends TestPki {
  /** DER: root, intermediate. */
  readonly authorities: readonly Buffer[];
  /** A certificate with this name for this key, as the answer to a signing request. Chain: leaf, intermediate. */
  issueFor(subject: Buffer, request: CertificateRequest & { readonly publicKey: KeyObject }): IssuedCertificate & Leaf;
  issue(request: CertificateRequest): IssuedCertificate & Leaf;
}

export interface Leaf {
  readonly certificate: Buffer;
  readonly publicKey: KeyObject;
}

export function createTestPki(name = randomBytes(3).toString('hex')): Pki {
  const rootKey = newKey();
  const intermediateKey = newKey();
  const rootName = nameOf(`root-ca-${name}`);
  const intermediateName = nameOf(`intermediate-ca-${name}`);
  const authority = { authority: true, use: 'both', dns: [], ip: [], uri: [], ...times(3650) } as const;
  const signer = { issuer: rootName, issuerKey: rootKey.privateKey };
  const root = signCertificate({ ...authority, ...signer, subject: rootName, publicKey: rootKey.publicKey });
  const intermediate = signCertificate({
    ...authority,
    ...signer,
    subject: intermediateName,
    publicKey: intermediateKey.publicKey,
  });
  const intermediatePem = pem('CERTIFICATE', intermediate);
  const issueFor: Pki['issueFor'] = (subject, request) => {
    const defaults = times(365);
    const certificate = signCertificate({
      subject,
      issuer: intermediateName,
      issuerKey: intermediateKey.privateKey,
      publicKey: request.publicKey,
      notBefore: request.notBefore ?? defaults.notBefore,
      notAfter: request.notAfter ?? defaults.notAfter,
      authority: false,
      use: request.use,
      dns: request.dns ?? [],
      ip: request.ip ?? [],
      uri: request.uri ?? [],
    });
    const certPem = pem('CERTIFICATE', certificate);
    return {
      certificate,
      publicKey: request.publicKey,
      certPem,
      chainPem: certPem + intermediatePem,
      key: undefined,
      keyPem: undefined,
    };
  };
  return {
    rootPem: pem('CERTIFICATE', root),
    intermediatePem,
    authorities: [root, intermediate],
    issueFor,
    issue: (request) => {
      const subject = nameOf(request.commonName);
      if (request.publicKey) return issueFor(subject, { ...request, publicKey: request.publicKey });
      const key = newKey();
      const issued = issueFor(subject, { ...request, publicKey: key.publicKey });
      return { ...issued, key: key.privateKey, keyPem: keyPem(key.privateKey) };
    },
  };
}

/** Read again: a generated one must not be written as JWK, which the controller does (overlay/src/access/keys.ts says why). */
export function newKey(kind: 'P-256' | 'P-384' | 'RSA-2048' | 'Ed25519' = 'P-256'): {
  publicKey: KeyObject;
  privateKey: KeyObject;
} {
  const { privateKey: generated } = generate(kind);
  const privateKey = createPrivateKey({
    key: generated.export({ type: 'pkcs8', format: 'der' }),
    type: 'pkcs8',
    format: 'der',
  });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function generate(kind: Parameters<typeof newKey>[0]): { privateKey: KeyObject } {
  if (kind === 'RSA-2048') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  if (kind === 'Ed25519') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('ec', { namedCurve: kind ?? 'P-256' });
}

/** SEC1 for EC keys and PKCS#1 for RSA, which every SDK reads; PKCS#8 where there is nothing else. */
export function keyPem(key: KeyObject): string {
  const type = ({ ec: 'sec1', rsa: 'pkcs1' } as const)[key.asymmetricKeyType as 'ec' | 'rsa'] ?? 'pkcs8';
  return key.export({ type, format: 'pem' } as { type: 'sec1'; format: 'pem' }).toString();
}

function times(days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + days * DAY_MS) };
}
