// DER as far as certificates, requests and PKCS#7 bundles need it (X.690): a writer of values, a reader of elements.

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const hex = body.length.toString(16);
  const length = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, body]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...parts);
export const set = (...parts: readonly Uint8Array[]): Buffer => der(TAG.set, ...parts);
/** `[n]`, constructed: around another element, or instead of its tag. */
export const context = (n: number, ...parts: readonly Uint8Array[]): Buffer => der(0xa0 | n, ...parts);
/** `[n]` IMPLICIT around plain bytes. */
export const contextPrimitive = (n: number, bytes: Uint8Array): Buffer => der(0x80 | n, bytes);
export const octets = (bytes: Uint8Array): Buffer => der(TAG.octetString, bytes);
export const bits = (bytes: Uint8Array, unused = 0): Buffer => der(TAG.bitString, Buffer.of(unused), bytes);
export const yes = (): Buffer => der(TAG.boolean, Buffer.of(0xff));
export const text = (value: string): Buffer => der(TAG.utf8, Buffer.from(value));

/** Unsigned, of any length. */
export function integer(value: number | Uint8Array): Buffer {
  const bytes = typeof value === 'number' ? Buffer.of(value) : Buffer.from(value);
  return der(TAG.integer, (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift(0x80 | (left & 0x7f));
    bytes.push(...groups);
  }
  return der(TAG.oid, Buffer.from(bytes));
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280 4.1.2.5). */
export function time(at: Date): Buffer {
  const digits = at.toISOString().replace(/\D/g, '').slice(0, 14);
  return at.getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : der(TAG.generalizedTime, Buffer.from(`${digits}Z`));
}

export interface Element {
  readonly tag: number;
  readonly body: Buffer;
  /** Tag, length and body. */
  readonly whole: Buffer;
}

/** The first element of `bytes`; throws when it is cut or its length is not written in the shortest form. */
export function readElement(bytes: Buffer): Element {
  const [tag = 0, first = 0] = bytes;
  if (bytes.length < 2) throw new Error('DER: cut before the length');
  const extra = first < 0x80 ? 0 : first & 0x7f;
  if (extra > 4 || (first >= 0x80 && extra === 0)) throw new Error('DER: no such length');
  if (bytes.length < 2 + extra) throw new Error('DER: cut in the length');
  const length = extra === 0 ? first : bytes.readUIntBE(2, extra);
  if (extra > 0 && (length < 0x80 || bytes[2] === 0)) throw new Error('DER: length is not in the shortest form');
  const end = 2 + extra + length;
  if (end > bytes.length) throw new Error('DER: cut in the body');
  return { tag, body: bytes.subarray(2 + extra, end), whole: bytes.subarray(0, end) };
}

/** All elements of a body, one after the other. */
export function readElements(body: Buffer): Element[] {
  const elements: Element[] = [];
  for (let rest = body; rest.length > 0; ) {
    const element = readElement(rest);
    elements.push(element);
    rest = rest.subarray(element.whole.length);
  }
  return elements;
}

export function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
