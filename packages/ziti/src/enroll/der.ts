// DER (X.690), as much of it as a certificate request and a bundle of certificates need: definite lengths, one-byte tags.
// The reader walks one level at a time over a view of the input: no recursion, no copies, every length checked.

export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  sequence: 0x30,
  set: 0x31,
  /** [0], constructed. */
  context0: 0xa0,
} as const;

export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Header and content. */
  readonly whole: Uint8Array;
}

/** The value at the start of `bytes`, or an Error that says what is wrong. */
export function readDer(bytes: Uint8Array): DerValue {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw new Error('DER ends within a header');
  if ((tag & 0x1f) === 0x1f) throw new Error('DER with a tag of several bytes');
  if (first < 0x80) return cut(bytes, tag, 2, first);
  const lengthBytes = first & 0x7f;
  // 0x80 is BER's "until further notice"; four bytes hold 4 GiB.
  if (lengthBytes === 0 || lengthBytes > 4) throw new Error('DER with a length of unsupported form');
  if (bytes.length < 2 + lengthBytes) throw new Error('DER ends within a header');
  let length = 0;
  for (let at = 2; at < 2 + lengthBytes; at++) length = length * 256 + (bytes[at] ?? 0);
  if (length < 0x80 || length < 256 ** (lengthBytes - 1))
    throw new Error('DER with a length that is longer than needed');
  return cut(bytes, tag, 2 + lengthBytes, length);
}

/** The values inside `bytes`, one after the other, lazily: a caller that stops early pays for what it took. */
export function* derValues(bytes: Uint8Array): Generator<DerValue, void, undefined> {
  for (let at = 0; at < bytes.length; ) {
    const value = readDer(bytes.subarray(at));
    at += value.whole.length;
    yield value;
  }
}

function cut(bytes: Uint8Array, tag: number, header: number, length: number): DerValue {
  if (bytes.length < header + length) throw new Error('DER ends within a value');
  return { tag, content: bytes.subarray(header, header + length), whole: bytes.subarray(0, header + length) };
}

export function der(tag: number, ...contents: Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  return Buffer.concat([Uint8Array.of(tag, ...lengthOf(content.length)), content]);
}

/** "1.2.840.10045.4.3.2" */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  return der(TAG.oid, Uint8Array.from([first * 40 + second, ...arcs].flatMap(base128)));
}

export function bitString(bytes: Uint8Array): Uint8Array {
  return der(TAG.bitString, Uint8Array.of(0), bytes);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(arc: number): number[] {
  const bytes = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) bytes.unshift((rest % 128) | 0x80);
  return bytes;
}
