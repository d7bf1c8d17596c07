// Revocation lists (RFC 5280 5) of a trust file. They are the operator's own, so one that is not understood in full is an
// error when it is read, and one that is out of date refuses everybody it should tell about: nobody knows any more.

import { OverlayError } from '../errors.ts';
import type { Certificate } from './certificate.ts';
import { booleanOf, context, DerReader, malformed, octetsOf, oidText, readOne, TAG, timeOf } from './der.ts';
import { isSignedBy, type Signed } from './signed.ts';

export interface RevocationList extends Signed {
  readonly issuerBytes: Buffer;
  readonly nextUpdate: number | undefined;
  /** Hex. */
  readonly serials: ReadonlySet<string>;
}

const WHAT = 'the revocation list';
/** cRLNumber and authorityKeyIdentifier say nothing that changes the meaning of the list. */
const HARMLESS = new Set(['2.5.29.20', '2.5.29.35']);

export function readRevocationList(bytes: Buffer): RevocationList {
  const outer = new DerReader(readOne(bytes, TAG.sequence, WHAT).body, WHAT);
  const content = outer.next(TAG.sequence);
  const algorithm = outer.next(TAG.sequence);
  const signature = octetsOf(outer.next(TAG.bitString), WHAT);
  outer.end();

  const tbs = new DerReader(content.body, WHAT);
  tbs.optional(TAG.integer);
  if (!tbs.next(TAG.sequence).whole.equals(algorithm.whole)) throw malformed(WHAT);
  const issuer = tbs.next(TAG.sequence);
  timeOf(tbs.next(), WHAT);
  const dated = tbs.peek === TAG.utcTime || tbs.peek === TAG.generalizedTime;
  const nextUpdate = dated ? timeOf(tbs.next(), WHAT) : undefined;
  const serials = new Set<string>();
  const entries = tbs.optional(TAG.sequence);
  const list = new DerReader(entries?.body ?? Buffer.alloc(0), WHAT);
  while (!list.done) {
    const entry = list.inside(TAG.sequence);
    serials.add(entry.next(TAG.integer).body.toString('hex'));
    timeOf(entry.next(), WHAT);
    // "Revoked" whatever the reason; a critical one may speak of another issuer (indirect lists).
    refuseCritical(entry.optional(TAG.sequence)?.whole);
    entry.end();
  }
  const extensions = tbs.optional(context(0, true));
  refuseCritical(extensions?.body);
  tbs.end();
  return {
    content: content.whole,
    algorithm: oidText(new DerReader(algorithm.body, WHAT).next(TAG.oid), WHAT),
    signature,
    issuerBytes: issuer.whole,
    nextUpdate,
    serials,
  };
}

/** Throws `proof_revoked`, and `proof_revocation_unknown` where a list of this issuer is out of date. */
export function refuseRevoked(
  certificate: Certificate,
  issuer: Certificate,
  lists: readonly RevocationList[],
  now: number | undefined,
): void {
  for (const list of lists) {
    if (!list.issuerBytes.equals(issuer.subjectBytes)) continue;
    if (!isSignedBy(list, issuer.key(), WHAT)) continue;
    if (list.serials.has(certificate.serial)) {
      throw new OverlayError('proof_revoked', `the certificate of ${certificate.subject.text} was revoked`, {
        hint: 'get a new one from its issuer',
      });
    }
    if (now !== undefined && list.nextUpdate !== undefined && list.nextUpdate < now) {
      const until = new Date(list.nextUpdate).toISOString();
      throw new OverlayError(
        'proof_revocation_unknown',
        `the revocation list of ${issuer.subject.text} was good until ${until} only`,
        { hint: 'put the newest list of that CA into the trust file' },
      );
    }
  }
}

function refuseCritical(whole: Buffer | undefined): void {
  if (!whole) return;
  const list = new DerReader(readOne(whole, TAG.sequence, WHAT).body, WHAT);
  while (!list.done) {
    const extension = list.inside(TAG.sequence);
    const id = oidText(extension.next(TAG.oid), WHAT);
    const flag = extension.optional(TAG.boolean);
    const critical = flag !== undefined && booleanOf(flag, WHAT);
    if (critical && !HARMLESS.has(id)) {
      throw malformed(WHAT, `is of a kind that this program does not know (critical extension ${id})`);
    }
  }
}
