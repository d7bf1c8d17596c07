// From a leaf to a CA that we trust (RFC 5280 6, the part that a chain of few certificates needs). The chain is taken in
// the order it came: each certificate is issued by the next, or by a trusted one. So the work is bounded by its length.
// Every certificate of a trust file is an anchor, root or not, as OpenZiti's own programs have it.

import { OverlayError } from '../errors.ts';
import { PROOF_LIMITS } from '../limits.ts';
import type { Certificate } from './certificate.ts';
import { type RevocationList, refuseRevoked } from './crl.ts';
import { isSignedBy } from './signed.ts';

export interface Anchors {
  readonly certificates: readonly Certificate[];
  readonly revocations: readonly RevocationList[];
}

export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
export const ANY_USE = '2.5.29.37.0';

/**
 * The anchor that vouches for the first of the chain, whose it is, and until when all between them are taken. `now` undefined:
 * dates were looked at before. Throws `proof_foreign`, `proof_expired`, `proof_not_yet_valid`, `proof_revoked`, `proof_revocation_unknown`, `proof_key_refused`.
 */
export function anchorOf<A extends Anchors>(
  chain: readonly Certificate[],
  trusted: readonly A[],
  now: number | undefined,
): { anchor: Certificate; among: A; until: number } {
  // Sizes first, of all of them: no key is used before every key was looked at.
  for (const certificate of chain) certificate.key();
  let failure: unknown;
  for (const [at, certificate] of chain.entries()) {
    for (const among of trusted) {
      for (const anchor of among.certificates) {
        if (!isIssuedBy(certificate, anchor)) continue;
        try {
          const path = [...chain.slice(0, at + 1), anchor];
          checkPath(path, among.revocations, now);
          return { anchor, among, until: Math.min(...path.map(endOf)) };
        } catch (error) {
          // A renewed CA has the same name and key: the old one may stand beside it.
          failure ??= error;
        }
      }
    }
    const next = chain[at + 1];
    if (!next || !isIssuedBy(certificate, next)) throw failure ?? foreign(chain, certificate);
  }
  throw new OverlayError('proof_malformed', 'the proof has no certificate');
}

function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (!certificate.issuerBytes.equals(issuer.subjectBytes)) return false;
  return isSignedBy(certificate, issuer.key(), `the certificate of ${certificate.subject.text}`);
}

/** `path`: leaf first, the anchor last; each is signed by the next. */
function checkPath(
  path: readonly Certificate[],
  revocations: readonly RevocationList[],
  now: number | undefined,
): void {
  for (const [at, certificate] of path.entries()) {
    if (now !== undefined) checkDates(certificate, now);
    if (at > 0) checkIssuer(certificate, at - 1);
    const issuer = path[at + 1];
    if (issuer) refuseRevoked(certificate, issuer, revocations, now);
  }
}

/** With what clocks may differ: whoever is let in until then is sent away then, and not before. */
function endOf({ notAfter }: Certificate): number {
  return notAfter + PROOF_LIMITS.clockSkewMs;
}

function checkDates(certificate: Certificate, now: number): void {
  const { notBefore, notAfter, subject } = certificate;
  const clock = `the clock here says ${new Date(now).toISOString()}`;
  if (now > endOf(certificate)) {
    const text = `the certificate of ${subject.text} was valid until ${new Date(notAfter).toISOString()}; ${clock}`;
    throw new OverlayError('proof_expired', text, { hint: 'renew it, or set the clock' });
  }
  if (now < notBefore - PROOF_LIMITS.clockSkewMs) {
    const text = `the certificate of ${subject.text} is valid from ${new Date(notBefore).toISOString()} on; ${clock}`;
    throw new OverlayError('proof_not_yet_valid', text, { hint: 'set the clock' });
  }
}

/** `below`: CAs between it and the leaf. */
function checkIssuer(certificate: Certificate, below: number): void {
  const { isCa, keyUsage, pathLength, extendedKeyUsage, subject } = certificate;
  const may = isCa && keyUsage?.keyCertSign !== false && below <= (pathLength ?? below);
  if (may && mayBeClient(extendedKeyUsage)) return;
  throw new OverlayError('proof_foreign', `${subject.text} is no CA that may issue this certificate`);
}

/** Not said means any; a CA that is limited to something limits what it issues. */
export function mayBeClient(usages: readonly string[] | undefined): boolean {
  return usages === undefined || usages.includes(CLIENT_AUTH) || usages.includes(ANY_USE);
}

function foreign([leaf]: readonly Certificate[], last: Certificate): OverlayError {
  const text = `the certificate of ${leaf?.subject.text} leads to no CA that is trusted here (${last.issuer} is not known)`;
  return new OverlayError('proof_foreign', text, {
    hint: 'it belongs to another network or organisation; --trust FILE names a CA to trust besides',
  });
}
