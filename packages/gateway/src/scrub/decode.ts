// Encoded parts of a text, decoded once so that what they say is looked through as well: base64, base32, hex, percent and
// HTML encodings, letters with blanks between them. Only what becomes readable text counts.

import { SCRUB_LIMITS } from './limits.ts';

export interface EncodedPart {
  readonly how: 'base64' | 'base32' | 'hex' | 'url' | 'html' | 'spaced' | 'hidden';
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

const BASE64 = /[A-Za-z0-9+/_-]{20,}={0,2}/g;
/** In capitals, as it is written; without a digit it is a word. */
const BASE32 = /(?<![A-Za-z0-9+/_-])(?=[A-Z]{0,40}[2-7])[A-Z2-7]{16,}={0,6}(?![A-Za-z0-9+/_=-])/g;
const HEX = /(?:[0-9A-Fa-f]{2}[ :]?){12,}|(?:\\x[0-9A-Fa-f]{2}){6,}/g;
const PERCENT = /(?:%[0-9A-Fa-f]{2}[A-Za-z0-9._~+-]{0,16}){4,}/g;
const ENTITIES = /(?:&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,8});[A-Za-z0-9 ]{0,16}){3,}/g;
/** Letters one by one: `i g n o r e`, `i.g.n.o.r.e`; wider gaps part words. */
const SPACED = /(?<![A-Za-z0-9])(?:[A-Za-z][ .*_-]{1,3}){6,400}[A-Za-z](?![A-Za-z0-9])/g;
const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", nbsp: ' ' };
const MIN_READABLE = 8;

/** `left`: characters that may still come of this message. */
export function encodedParts(text: string, left = SCRUB_LIMITS.decodedChars): EncodedPart[] {
  const parts: EncodedPart[] = [];
  let budget: number = left;
  const add = (how: EncodedPart['how'], pattern: RegExp, decode: (found: string) => string): void => {
    for (const { 0: found, index } of text.matchAll(pattern)) {
      if (parts.length >= SCRUB_LIMITS.encodedParts || budget <= 0) return;
      const decoded = decode(found).slice(0, budget);
      if (!isReadable(decoded)) continue;
      budget -= decoded.length;
      parts.push({ how, start: index, end: index + found.length, text: decoded });
    }
  };
  const most = SCRUB_LIMITS.decodedChars;
  add('base64', BASE64, (found) => (isWordy(found) ? '' : utf8(Buffer.from(found.slice(0, most * 2), 'base64'))));
  add('base32', BASE32, (found) => utf8(base32(found.slice(0, most * 2))));
  add('hex', HEX, (found) => utf8(Buffer.from(found.slice(0, most * 4).replace(/\\x|[ :]/g, ''), 'hex')));
  if (text.includes('%')) add('url', PERCENT, (found) => utf8(percentDecoded(found)));
  if (text.includes('&')) add('html', ENTITIES, (found) => found.replace(/&([^;]{1,9});/g, entity));
  add('spaced', SPACED, (found) => joined(found));
  return parts;
}

/** A path, an identifier, a long word: nothing that base64 looks like. Each text in one way only: two ways to take one letter
 *  are 2^n ways to take n words. */
export function isWordy(found: string): boolean {
  return /^[a-z]+$|^[A-Z_]+$|^[A-Z]?[a-z]*(?:[/_-][A-Z]?[a-z0-9]*)+$/.test(found);
}

function isReadable(text: string): boolean {
  if (text.length < MIN_READABLE) return false;
  const head = text.slice(0, 256);
  let odd = 0;
  for (let at = 0; at < head.length; at += 1) {
    const code = head.charCodeAt(at);
    if (code === 0xfffd || (code < 0x20 && code !== 9 && code !== 10 && code !== 13) || code === 0x7f) odd += 1;
  }
  return odd * 20 <= head.length;
}

function utf8(bytes: Buffer): string {
  return bytes.toString('utf8');
}

/** RFC 4648, section 6. */
function base32(found: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const char of found.replace(/=+$/, '')) {
    held = (held << 5) | 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(char);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 0xff);
    held &= (1 << bits) - 1;
  }
  return Buffer.from(bytes);
}

function percentDecoded(found: string): Buffer {
  const bytes = Buffer.alloc(found.length);
  let length = 0;
  for (let at = 0; at < found.length; at += 1) {
    const escaped = found[at] === '%' ? Number.parseInt(found.slice(at + 1, at + 3), 16) : Number.NaN;
    bytes[length] = Number.isNaN(escaped) ? found.charCodeAt(at) : escaped;
    if (found[at] === '+') bytes[length] = 0x20;
    if (!Number.isNaN(escaped)) at += 2;
    length += 1;
  }
  return bytes.subarray(0, length);
}

function entity(whole: string, name: string): string {
  if (!name.startsWith('#')) return NAMED[name.toLowerCase()] ?? whole;
  const point = /^#[xX]/.test(name) ? Number.parseInt(name.slice(2), 16) : Number.parseInt(name.slice(1), 10);
  return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : '';
}

/** A gap twice as wide as the others parts words. */
function joined(found: string): string {
  return found.replace(/([A-Za-z])([ .*_-]+)/g, (_, letter: string, gap: string) =>
    gap.length > 1 ? `${letter} ` : letter,
  );
}
