// A certificate as far as we judge it (RFC 5280 4): who, from when to when, what for, and whose signature. Read here,
// judged in ./path.ts and ../proof/naming.ts. Whatever it says that we do not understand and must, refuses it.

import type { KeyObject } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { PROOF_LIMITS } from '../limits.ts';
import {
  bitString,
  booleanOf,
  context,
  type Der,
  DerReader,
  malformed,
  octetsOf,
  oidText,
  readOne,
  TAG,
  timeOf,
} from './der.ts';
import { type DistinguishedName, distinguishedName } from './distinguished-name.ts';
import { publicKeyOf, type Signed } from './signed.ts';

export interface Certificate extends Signed {
  readonly der: Buffer;
  readonly subject: DistinguishedName;
  /** DER, for comparing. */
  readonly subjectBytes: Buffer;
  readonly issuerBytes: Buffer;
  readonly issuer: string;
  /** Hex. */
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Buffer;
  /** Checked when it is asked for. Throws `proof_key_refused`. */
  key(): KeyObject;
  readonly isCa: boolean;
  /** CAs that may stand below it. */
  readonly pathLength: number | undefined;
  /** undefined: not said, so any. */
  readonly keyUsage: { readonly digitalSignature: boolean; readonly keyCertSign: boolean } | undefined;
  /** Dotted; undefined: not said, so any. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** URIs of its alternative names. */
  readonly uris: readonly string[];
}

const OID = {
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
} as const;

/** Critical, but of no weight for what we ask: certificatePolicies. */
const HARMLESS = new Set(['2.5.29.32']);
const VERSION_3 = 2;
const URI = 6;

/** `who`: for messages. Throws `proof_malformed`, `proof_too_large`. */
export function readCertificate(bytes: Buffer, who: string): Certificate {
  if (bytes.length > PROOF_LIMITS.certificateBytes) throw tooLarge(bytes.length, who);
  const outer = new DerReader(readOne(bytes, TAG.sequence, who).body, who);
  const content = outer.next(TAG.sequence);
  const algorithm = outer.next(TAG.sequence);
  const signature = octetsOf(outer.next(TAG.bitString), who);
  outer.end();

  const tbs = new DerReader(content.body, who);
  const version = tbs.optional(context(0, true));
  const serial = tbs.next(TAG.integer);
  // Signed and unsigned algorithm must be the same, or the unsigned one could be exchanged.
  if (!tbs.next(TAG.sequence).whole.equals(algorithm.whole)) throw malformed(who);
  const issuer = tbs.next(TAG.sequence);
  const validity = tbs.inside(TAG.sequence);
  const subject = tbs.next(TAG.sequence);
  const spki = tbs.next(TAG.sequence);
  tbs.optional(context(1, false));
  tbs.optional(context(2, false));
  const extensions = readExtensions(tbs.optional(context(3, true)), who);
  tbs.end();
  const three = version !== undefined && readOne(version.body, TAG.integer, who).body.equals(Buffer.of(VERSION_3));
  if (extensions.size > 0 && !three) throw malformed(who);

  const constraints = basicConstraints(extensions.get(OID.basicConstraints), who);
  let key: KeyObject | undefined;
  return {
    der: bytes,
    content: content.whole,
    algorithm: oidText(new DerReader(algorithm.body, who).next(TAG.oid), who),
    signature,
    subject: distinguishedName(subject.whole),
    subjectBytes: subject.whole,
    issuerBytes: issuer.whole,
    issuer: distinguishedName(issuer.whole).text,
    serial: serial.body.toString('hex'),
    notBefore: timeOf(validity.next(), who),
    notAfter: timeOf(validity.next(), who),
    spki: spki.whole,
    key: () => {
      key ??= publicKeyOf(spki.whole, who);
      return key;
    },
    isCa: constraints.isCa,
    pathLength: constraints.pathLength,
    keyUsage: keyUsage(extensions.get(OID.keyUsage), who),
    extendedKeyUsage: extendedKeyUsage(extensions.get(OID.extendedKeyUsage), who),
    uris: uris(extensions.get(OID.subjectAltName), who),
  };
}

/** The known ones, by number. Throws for an unknown critical one: it may forbid what we would allow. */
function readExtensions(wrapped: Der | undefined, who: string): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  if (!wrapped) return found;
  const known = new Set<string>(Object.values(OID));
  const seen = new Set<string>();
  const list = new DerReader(readOne(wrapped.body, TAG.sequence, who).body, who);
  while (!list.done) {
    const extension = list.inside(TAG.sequence);
    const id = oidText(extension.next(TAG.oid), who);
    const flag = extension.optional(TAG.boolean);
    const critical = flag !== undefined && booleanOf(flag, who);
    const value = extension.next(TAG.octetString).body;
    extension.end();
    if (seen.has(id)) throw malformed(who);
    seen.add(id);
    if (known.has(id)) found.set(id, value);
    else if (critical && !HARMLESS.has(id)) {
      throw malformed(who, `has a critical extension that this program does not know (${id})`);
    }
  }
  return found;
}

function basicConstraints(value: Buffer | undefined, who: string): { isCa: boolean; pathLength: number | undefined } {
  if (!value) return { isCa: false, pathLength: undefined };
  const inside = new DerReader(readOne(value, TAG.sequence, who).body, who);
  const flag = inside.optional(TAG.boolean);
  const length = inside.optional(TAG.integer)?.body;
  inside.end();
  // More than one byte is more CAs than any chain has.
  return {
    isCa: flag !== undefined && booleanOf(flag, who),
    pathLength: length === undefined ? undefined : length.length === 1 ? length[0] : 127,
  };
}

function keyUsage(value: Buffer | undefined, who: string): Certificate['keyUsage'] {
  if (!value) return undefined;
  const bits = bitString(readOne(value, TAG.bitString, who), who)[0] ?? 0;
  return { digitalSignature: (bits & 0x80) !== 0, keyCertSign: (bits & 0x04) !== 0 };
}

function extendedKeyUsage(value: Buffer | undefined, who: string): readonly string[] | undefined {
  if (!value) return undefined;
  const inside = new DerReader(readOne(value, TAG.sequence, who).body, who);
  const usages: string[] = [];
  while (!inside.done) usages.push(oidText(inside.next(TAG.oid), who));
  return usages;
}

function uris(value: Buffer | undefined, who: string): readonly string[] {
  if (!value) return [];
  const inside = new DerReader(readOne(value, TAG.sequence, who).body, who);
  const found: string[] = [];
  while (!inside.done) {
    const { tag, body } = inside.next();
    if (tag !== context(URI, false)) continue;
    const text = body.toString('latin1');
    // RFC 5280 4.2.1.6: ASCII. Anything that is not seen has no place in a name.
    if (!/^[\x21-\x7e]+$/.test(text)) throw malformed(who);
    found.push(text);
  }
  return found;
}

function tooLarge(bytes: number, who: string) {
  return new OverlayError(
    'proof_too_large',
    `${who} has ${bytes} bytes, at most ${PROOF_LIMITS.certificateBytes} are read`,
  );
}
