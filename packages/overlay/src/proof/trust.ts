// Whose proofs are believed: CA certificates, revocation lists beside them, and how their certificates name somebody.

import { OverlayError } from '../errors.ts';
import { FILE_LIMITS } from '../limits.ts';
import { readCertificate } from '../x509/certificate.ts';
import { readRevocationList } from '../x509/crl.ts';
import type { Anchors } from '../x509/path.ts';
import { pemBlocks } from '../x509/pem.ts';
import { isSignedBy } from '../x509/signed.ts';
import type { Naming, NamingRule } from './naming.ts';

export interface TrustBundle extends Anchors, NamingRule {}

/** PEM with CA certificates and, where there are any, revocation lists. `from`: for messages. Throws `trust_invalid`. */
export function trustFromPem(text: string, naming: Naming, from: string): TrustBundle {
  try {
    const blocks = pemBlocks(text);
    const ofCas = blocks.filter(({ label }) => label === 'CERTIFICATE');
    if (ofCas.length === 0) throw invalid(from, 'holds no CA certificate');
    if (ofCas.length > FILE_LIMITS.trustCertificates) throw invalid(from, `holds ${ofCas.length} CA certificates`);
    const certificates = ofCas.map(({ der }, at) => readCertificate(der, `certificate ${at + 1}`));
    for (const { isCa, subject, key } of certificates) {
      if (!isCa) throw invalid(from, `holds ${subject.text}, which is no CA`);
      key();
    }
    const revocations = blocks.filter(({ label }) => label === 'X509 CRL').map(({ der }) => readRevocationList(der));
    for (const list of revocations) {
      const issuers = certificates.filter(({ subjectBytes }) => subjectBytes.equals(list.issuerBytes));
      if (!issuers.some((issuer) => isSignedBy(list, issuer.key(), 'the revocation list'))) {
        throw invalid(from, 'holds a revocation list that none of its CAs signed');
      }
    }
    return { naming, certificates, revocations };
  } catch (error) {
    if (!(error instanceof OverlayError) || error.code === 'trust_invalid') throw error;
    throw new OverlayError('trust_invalid', `${from}: ${error.message}`, { cause: error });
  }
}

/** The CAs of an OpenZiti network as an identity file lists them. What else stands there is left out: it is not ours to mend. */
export function networkTrust(text: string): readonly TrustBundle[] {
  const certificates = pemBlocks(text)
    .filter(({ label }) => label === 'CERTIFICATE')
    .flatMap(({ der }, at) => {
      try {
        const certificate = readCertificate(der, `certificate ${at + 1} of the network`);
        certificate.key();
        return certificate.isCa ? [certificate] : [];
      } catch (error) {
        if (error instanceof OverlayError) return [];
        throw error;
      }
    });
  return certificates.length === 0 ? [] : [{ naming: 'ziti', certificates, revocations: [] }];
}

function invalid(from: string, why: string): OverlayError {
  return new OverlayError('trust_invalid', `${from} ${why}`, {
    hint: 'expected PEM with the certificates of the CAs to trust, and their revocation lists',
  });
}
