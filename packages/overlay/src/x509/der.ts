// Reads DER, the bytes of certificates (ITU-T X.690 10): strict, without recursion, never beyond the bytes it was given.
// What is not DER is refused as `proof_malformed`; who reads a file of this user says which file it was.

import { OverlayError } from '../errors.ts';

export interface Der {
  readonly tag: number;
  readonly body: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8: 0x0c,
  printable: 0x13,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Tag of `[n]`, primitive or constructed. */
export function context(n: number, constructed: boolean): number {
  return (constructed ? 0xa0 : 0x80) | n;
}

/** Exactly one value, nothing behind it. */
export function readOne(bytes: Buffer, tag: number, what: string): Der {
  const reader = new DerReader(bytes, what);
  const value = reader.next(tag);
  reader.end();
  return value;
}

/** The values inside a constructed one, one after the other. */
export class DerReader {
  readonly #bytes: Buffer;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The tag of what comes next; undefined at the end. */
  get peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  next(tag?: number): Der {
    const start = this.#at;
    const found = this.#bytes[start];
    // Tags of more than one byte do not occur in certificates.
    if (found === undefined || (found & 0x1f) === 0x1f || (tag !== undefined && found !== tag)) throw this.wrong();
    const { length, used } = this.#length(start + 1);
    const from = start + 1 + used;
    if (from + length > this.#bytes.length) throw this.wrong();
    this.#at = from + length;
    return {
      tag: found,
      body: this.#bytes.subarray(from, this.#at),
      whole: this.#bytes.subarray(start, this.#at),
    };
  }

  /** The next value if it has this tag. */
  optional(tag: number): Der | undefined {
    return this.peek === tag ? this.next(tag) : undefined;
  }

  inside(tag: number): DerReader {
    return new DerReader(this.next(tag).body, this.#what);
  }

  end(): void {
    if (!this.done) throw this.wrong();
  }

  wrong(): OverlayError {
    return malformed(this.#what);
  }

  /** Definite and as short as can be, as DER has it. */
  #length(at: number): { length: number; used: number } {
    const first = this.#bytes[at];
    if (first === undefined) throw this.wrong();
    if (first < 0x80) return { length: first, used: 1 };
    const count = first & 0x7f;
    if (count === 0 || count > 4 || at + count >= this.#bytes.length) throw this.wrong();
    const length = this.#bytes.readUIntBE(at + 1, count);
    if (length < 0x80 || this.#bytes[at + 1] === 0) throw this.wrong();
    return { length, used: 1 + count };
  }
}

/** Dotted. */
export function oidText({ body }: Der, what: string): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const [at, byte] of body.entries()) {
    // An arc of more than 2^46 is nobody's; leading zeros are not DER.
    if (arc > 2 ** 39 || (arc === 0 && byte === 0x80)) throw malformed(what);
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) {
      if (at === body.length - 1) throw malformed(what);
      continue;
    }
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(arc / 40));
      arcs.push(root, arc - root * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  if (arcs.length === 0) throw malformed(what);
  return arcs.join('.');
}

/** DER knows one way to write each of them. */
export function booleanOf({ body }: Der, what: string): boolean {
  if (body.length !== 1 || (body[0] !== 0 && body[0] !== 0xff)) throw malformed(what);
  return body[0] === 0xff;
}

/** Its bits, in whole bytes; what is unused of the last one is zero, as DER wants it. */
export function bitString({ body }: Der, what: string): Buffer {
  const unused = body[0];
  if (unused === undefined || unused > 7 || (body.length === 1 && unused > 0)) throw malformed(what);
  if (((body.at(-1) ?? 0) & ((1 << unused) - 1)) !== 0 && body.length > 1) throw malformed(what);
  return body.subarray(1);
}

/** A bit string that holds bytes, as signatures do: nothing of it is unused, or bits that nobody signed could change. */
export function octetsOf(der: Der, what: string): Buffer {
  if (der.body[0] !== 0) throw malformed(what);
  return bitString(der, what);
}

/** Milliseconds since the epoch (RFC 5280 4.1.2.5: in UTC, with seconds). */
export function timeOf({ tag, body }: Der, what: string): number {
  const text = body.toString('latin1');
  const [, year = '', rest = ''] = (tag === TAG.utcTime ? /^(\d{2})(\d{10})Z$/ : /^(\d{4})(\d{10})Z$/).exec(text) ?? [];
  const known = tag === TAG.utcTime || tag === TAG.generalizedTime;
  if (!known || year === '') throw malformed(what);
  const century = tag === TAG.utcTime ? (Number(year) < 50 ? '20' : '19') : '';
  const [month, day, hour, minute, second] = rest.match(/\d{2}/g) ?? [];
  const time = Date.parse(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(time)) throw malformed(what);
  return time;
}

export function malformed(what: string, why = 'cannot be read'): OverlayError {
  return new OverlayError('proof_malformed', `${what} ${why}`);
}
