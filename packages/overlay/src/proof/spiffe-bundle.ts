// SPIFFE trust bundles (SPIFFE "Trust Domain and Bundle" 4): a JWKS whose keys for X.509-SVIDs each carry the CA certificate in
// `x5c`. Its CAs name by SPIFFE IDs of one trust domain, which whoever names the file says, or each CA itself.

import { OverlayError } from '../errors.ts';
import { FILE_LIMITS } from '../limits.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { spiffeDomain } from './naming.ts';
import type { TrustBundle } from './trust.ts';

export interface SpiffeBundle extends TrustBundle {
  /** Grows with each change; undefined where the file does not say. */
  readonly sequence: number | undefined;
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/** `domain`: of the trust domain that was named with the file. Throws `trust_invalid`. */
export function trustFromSpiffeBundle(text: string, domain: string | undefined, from: string): SpiffeBundle {
  const { keys, spiffe_sequence: sequence } = jsonOf(text, from);
  if (!Array.isArray(keys)) throw invalid(from, 'has no keys');
  const ofCas = keys.filter((key): key is Record<string, unknown> => isObject(key) && key.use === 'x509-svid');
  if (ofCas.length === 0) throw invalid(from, 'holds no CA for X.509-SVIDs');
  if (ofCas.length > FILE_LIMITS.trustCertificates) throw invalid(from, `holds ${ofCas.length} CAs`);
  const certificates = ofCas.map((key, at) => authority(key, at, from));
  for (const { uris, subject } of certificates) {
    const own = uris.flatMap((uri) => spiffeDomain(uri) ?? []);
    if (domain === undefined && own.length === 0) {
      throw invalid(
        from,
        `does not say of which trust domain its CA ${subject.text} is`,
        `spiffe://DOMAIN=${from} says it`,
      );
    }
    if (domain !== undefined && own.length > 0 && !own.includes(domain)) {
      throw invalid(from, `holds a CA of another trust domain than ${domain}`);
    }
  }
  return {
    naming: 'x509',
    certificates,
    revocations: [],
    sequence: typeof sequence === 'number' && Number.isSafeInteger(sequence) ? sequence : undefined,
    ...(domain !== undefined && { domain }),
  };
}

/** A bundle that goes back brings back CAs that were taken out. Throws `trust_invalid`. */
export function refuseOlder(bundle: SpiffeBundle, before: SpiffeBundle, from: string): void {
  const { sequence = 0 } = bundle;
  if (sequence >= (before.sequence ?? 0)) return;
  throw invalid(from, `is older (spiffe_sequence ${sequence}) than what was read before (${before.sequence})`);
}

function authority({ x5c }: Record<string, unknown>, at: number, from: string): Certificate {
  const [text, ...more] = Array.isArray(x5c) ? (x5c as unknown[]) : [];
  // SPIFFE 4.2.2: exactly one, the CA itself.
  if (typeof text !== 'string' || !BASE64.test(text) || more.length > 0) {
    throw invalid(from, `has a key ${at + 1} without one certificate (x5c)`);
  }
  try {
    const certificate = readCertificate(Buffer.from(text, 'base64'), `certificate ${at + 1}`);
    certificate.key();
    if (certificate.isCa) return certificate;
  } catch (error) {
    if (!(error instanceof OverlayError)) throw error;
    throw invalid(from, error.message);
  }
  throw invalid(from, `has a certificate ${at + 1} that is no CA`);
}

function jsonOf(text: string, from: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw invalid(from, 'is no JSON object');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(
  from: string,
  why: string,
  hint = 'expected a SPIFFE trust bundle (JSON), or PEM with CA certificates',
) {
  return new OverlayError('trust_invalid', `${from} ${why}`, { hint });
}
