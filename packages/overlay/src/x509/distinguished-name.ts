// A subject as text (RFC 4514): most specific part first, every character that could mislead a reader written as bytes.
// Two names that differ in what they say never give the same text, for the text is what rules are written for.

import { DerReader, oidText, TAG } from './der.ts';

/** RFC 4514 3, and the few that people use besides. Others are written by number. */
const SHORT: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'street',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.4': 'SN',
  '2.5.4.12': 'title',
  '2.5.4.42': 'GN',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
};
const COMMON_NAME = '2.5.4.3';
const WHAT = 'a name in the certificate';
/** Letters, digits, marks, punctuation and symbols of any script, and the blank: everything else is not seen or steers. */
const PLAIN = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const SPECIAL = /^["+,;<>\\=]$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface DistinguishedName {
  /** '' for an empty name. */
  readonly text: string;
  /** The only CN; undefined when there is none, several, or one that is no text. */
  readonly commonName: string | undefined;
}

/** `whole`: the DER of the Name. */
export function distinguishedName(whole: Buffer): DistinguishedName {
  const parts: string[] = [];
  const commonNames: (string | undefined)[] = [];
  const names = new DerReader(whole, WHAT).inside(TAG.sequence);
  while (!names.done) {
    const set = names.inside(TAG.set);
    const pairs: string[] = [];
    while (!set.done) {
      const pair = set.inside(TAG.sequence);
      const type = oidText(pair.next(TAG.oid), WHAT);
      const value = pair.next();
      pair.end();
      const text = textOf(value.tag, value.body);
      if (type === COMMON_NAME) commonNames.push(text);
      pairs.push(`${SHORT[type] ?? type}=${text === undefined ? `#${value.whole.toString('hex')}` : escaped(text)}`);
    }
    parts.push(pairs.join('+'));
  }
  return {
    text: parts.reverse().join(','),
    commonName: commonNames.length === 1 ? commonNames[0] : undefined,
  };
}

function textOf(tag: number, body: Buffer): string | undefined {
  if (tag === TAG.utf8) {
    try {
      return utf8.decode(body);
    } catch {
      return undefined;
    }
  }
  const ascii = tag === TAG.printable || tag === TAG.ia5;
  return ascii && body.every((byte) => byte < 0x80) ? body.toString('latin1') : undefined;
}

function escaped(text: string): string {
  const chars = [...text];
  return chars
    .map((char, at) => {
      if (SPECIAL.test(char)) return `\\${char}`;
      const edge = at === 0 || at === chars.length - 1;
      if (!PLAIN.test(char) || (edge && char === ' ') || (at === 0 && char === '#')) return hex(char);
      return char;
    })
    .join('');
}

function hex(char: string): string {
  return Buffer.from(char).toString('hex').replace(/../g, '\\$&');
}
