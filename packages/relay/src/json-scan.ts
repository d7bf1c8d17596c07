// One pass over the bytes of a JSON text: RFC 8259 grammar, caps on depth and tokens, where the envelope of a JSON-RPC
// message lies, and whether a double would spoil one of its numbers. Builds no value. ./json-rpc.ts judges what it found.
// The hot loop of every hop: strings are most of a message, so they are skipped four bytes at a time.

import { isUtf8 } from 'node:buffer';
import { survivesDouble } from './json-exact.ts';
import type { Limits } from './limits.ts';

export type ScanLimits = Pick<Limits, 'jsonDepth' | 'jsonTokens'>;

/** Bits of `Scan.keys`. */
export const MEMBER = { jsonrpc: 1, id: 2, method: 4, params: 8, result: 16, error: 32 } as const;

/** What a text is, or as much of it as was seen before the fault. Offsets are into the scanned bytes. */
export interface Scan {
  fault: 'not_json' | 'invalid_utf8' | 'too_deep' | 'too_many_tokens' | undefined;
  /** First byte of the value: `{`, `[`, … 0 if there is none. */
  top: number;
  /** Members of the top-level object whose key was read: bits of MEMBER. */
  keys: number;
  /** One of them came twice: readers would not agree which one counts. */
  twice: boolean;
  /** Where a value lies, quotes included. The end is 0 until it was read to its end. */
  idStart: number;
  idEnd: number;
  methodStart: number;
  methodEnd: number;
  versionStart: number;
  versionEnd: number;
  /** First bytes of these values. */
  params: number;
  error: number;
  /** A line break stands between tokens (it cannot stand inside one). */
  breaks: boolean;
  /** JSON.parse and JSON.stringify would change a number. */
  inexact: boolean;
  /** A number is infinite to a double (`1e400`): some readers take it for null, some for infinity, some refuse it. */
  infinite: boolean;
  /** All bytes or-ed: 0x80 is set if there was anything but ASCII. */
  bits: number;
  /** The last string had an escape. */
  escaped: boolean;
  /** The same memory, four bytes at a time; made for the first long string. */
  words: Int32Array | undefined;
}

const TAB = 0x09;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_E = 0x65;
const LETTER_U = 0x75;
/** What may follow a backslash, besides `u`. */
const ESCAPES = new Uint8Array(256);
for (const letter of Buffer.from('"\\\\/bfnrt')) ESCAPES[letter] = 1;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
const JSONRPC = Buffer.from('jsonrpc');
const ID = Buffer.from('id');
const METHOD = Buffer.from('method');
const PARAMS = Buffer.from('params');
const RESULT = Buffer.from('result');
const ERROR = Buffer.from('error');

/** One byte four times. */
const QUOTES = 0x22222222;
const BACKSLASHES = 0x5c5c5c5c;
const SPACES = 0x20202020;
const ONES = 0x01010101;
const TOPS = 0x80808080 | 0;

/** Decimals of so few digits always come back from a double. */
const SAFE_DIGITS = 15;
/** A number of so few digits, without an exponent, is finite. */
const FINITE_DIGITS = 308;
/** A shorter string is done before a view on words would be made. */
const LONG_STRING = 48;

export function scan(bytes: Buffer, limits: ScanLimits): Scan {
  const found: Scan = {
    fault: undefined,
    top: 0,
    keys: 0,
    twice: false,
    idStart: 0,
    idEnd: 0,
    methodStart: 0,
    methodEnd: 0,
    versionStart: 0,
    versionEnd: 0,
    params: 0,
    error: 0,
    breaks: false,
    inexact: false,
    infinite: false,
    bits: 0,
    escaped: false,
    words: undefined,
  };
  const fault = walk(bytes, limits.jsonDepth, limits.jsonTokens, found);
  if (fault === undefined && (found.bits & 0x80) === 0) return found;
  // Broken UTF-8 is said first: it is why the rest of the line may look broken too.
  found.fault = isUtf8(bytes) ? fault : 'invalid_utf8';
  return found;
}

function walk(bytes: Buffer, maxDepth: number, maxTokens: number, found: Scan): Scan['fault'] {
  const end = bytes.length;
  /** Whether each open container is an object. */
  const open: boolean[] = [];
  let inObject = false;
  let tokens = 0;
  let member = 0;
  let start = 0;
  let at = skipBlanks(bytes, 0, found);
  if (at < end) found.top = bytes[at] as number;
  for (;;) {
    // A value begins here.
    if (at >= end) return 'not_json';
    if (++tokens > maxTokens) return 'too_many_tokens';
    const first = bytes[at] as number;
    if (open.length === 1) start = at;
    let entered = false;
    if (first === QUOTE) {
      at = skipString(bytes, at + 1, found);
    } else if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      if (open.length >= maxDepth) return 'too_deep';
      inObject = first === OPEN_OBJECT;
      open.push(inObject);
      at++;
      entered = true;
    } else if (first === MINUS || (first >= ZERO && first <= NINE)) {
      at = skipNumber(bytes, at, found);
    } else {
      at = skipWord(bytes, at, first);
    }
    if (at < 0) return 'not_json';
    // Behind a value, or just inside a container.
    for (;;) {
      if (!entered && member !== 0 && open.length === 1) {
        noteMember(found, member, bytes, start, at);
        member = 0;
      }
      if (at < end && (bytes[at] as number) <= SPACE) at = skipBlanks(bytes, at, found);
      const next = at < end ? (bytes[at] as number) : 0;
      if (open.length === 0) return at === end ? undefined : 'not_json';
      if (next === (inObject ? CLOSE_OBJECT : CLOSE_ARRAY)) {
        at++;
        entered = false;
        open.pop();
        inObject = open.length > 0 && (open[open.length - 1] as boolean);
        continue;
      }
      if (entered) break;
      if (next !== COMMA) return 'not_json';
      at++;
      if (at < end && (bytes[at] as number) <= SPACE) at = skipBlanks(bytes, at, found);
      break;
    }
    if (!inObject) continue;
    // A key and its colon.
    if (at >= end || bytes[at] !== QUOTE) return 'not_json';
    if (++tokens > maxTokens) return 'too_many_tokens';
    const key = at + 1;
    at = skipString(bytes, key, found);
    if (at < 0) return 'not_json';
    if (open.length === 1) {
      member = memberOf(bytes, key, at - 1, found.escaped);
      if ((found.keys & member) !== 0) found.twice = true;
      found.keys |= member;
    }
    if (at < end && (bytes[at] as number) <= SPACE) at = skipBlanks(bytes, at, found);
    if (at >= end || bytes[at] !== COLON) return 'not_json';
    at++;
    if (at < end && (bytes[at] as number) <= SPACE) at = skipBlanks(bytes, at, found);
  }
}

function skipBlanks(bytes: Buffer, from: number, found: Scan): number {
  const end = bytes.length;
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === LINE_FEED || byte === RETURN) found.breaks = true;
    else if (byte !== SPACE && byte !== TAB) return at;
  }
  return Math.max(from, end);
}

/** From behind the opening quote to behind the closing one; -1 if there is none, or something that may not stand inside. */
function skipString(bytes: Buffer, from: number, found: Scan): number {
  const end = bytes.length;
  const shift = bytes.byteOffset & 3;
  let at = from;
  let bits = 0;
  let escaped = false;
  let ahead = LONG_STRING;
  for (;;) {
    // Byte by byte to a word's border.
    const border = Math.min(end, ((at + ahead + shift) & ~3) - shift);
    while (at < border) {
      const byte = bytes[at++] as number;
      if (byte === QUOTE) {
        found.bits |= bits;
        found.escaped = escaped;
        return at;
      }
      if (byte < SPACE) return -1;
      bits |= byte;
      if (byte === BACKSLASH) {
        escaped = true;
        at = skipEscape(bytes, at);
        if (at < 0) return -1;
      }
    }
    if (at >= end) return -1;
    // An escape may have carried us over the border.
    if (((at + shift) & 3) === 0) at = skipPlain(bytes, at, found);
    ahead = 7;
  }
}

/** Words without quote, backslash or control character, from a word's border on. */
function skipPlain(bytes: Buffer, from: number, found: Scan): number {
  const shift = bytes.byteOffset & 3;
  found.words ??= new Int32Array(bytes.buffer, bytes.byteOffset - shift, (bytes.length + shift) >> 2);
  const words = found.words;
  const end = words.length;
  let at = (from + shift) >> 2;
  let bits = 0;
  while (at < end) {
    const word = words[at] as number;
    const quote = word ^ QUOTES;
    const backslash = word ^ BACKSLASHES;
    // The top bit of a byte is set if the byte is below 0x20, or zero after the xor
    // (graphics.stanford.edu/~seander/bithacks.html#HasLessInWord); a borrow can only follow a true hit.
    const hit = ((word - SPACES) & ~word) | ((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash);
    if ((hit & TOPS) !== 0) break;
    bits |= word;
    at++;
  }
  if ((bits & TOPS) !== 0) found.bits |= 0x80;
  return (at << 2) - shift;
}

/** From behind the backslash. Lone surrogates are legal JSON. */
function skipEscape(bytes: Buffer, at: number): number {
  if (at >= bytes.length) return -1;
  const letter = bytes[at] as number;
  if (letter !== LETTER_U) return ESCAPES[letter] === 1 ? at + 1 : -1;
  if (at + 4 >= bytes.length) return -1;
  for (let digit = at + 1; digit <= at + 4; digit++) {
    const byte = bytes[digit] as number;
    const isHex = (byte >= ZERO && byte <= NINE) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
    if (!isHex) return -1;
  }
  return at + 5;
}

function skipNumber(bytes: Buffer, from: number, found: Scan): number {
  const end = bytes.length;
  let at = bytes[from] === MINUS ? from + 1 : from;
  const whole = at;
  at = skipDigits(bytes, at);
  if (at === whole || (bytes[whole] === ZERO && at > whole + 1)) return -1;
  if (at < end && bytes[at] === DOT) {
    const fraction = at + 1;
    at = skipDigits(bytes, fraction);
    if (at === fraction) return -1;
  }
  let unsure = at - from > SAFE_DIGITS || (whole > from && bytes[whole] === ZERO);
  if (at < end && ((bytes[at] as number) | 0x20) === LETTER_E) {
    at++;
    if (at < end && (bytes[at] === PLUS || bytes[at] === MINUS)) at++;
    const exponent = at;
    at = skipDigits(bytes, exponent);
    if (at === exponent) return -1;
    unsure = true;
    if (bytes[exponent - 1] !== MINUS) found.infinite ||= isInfinite(bytes, from, at);
  }
  if (at - from > FINITE_DIGITS) found.infinite ||= isInfinite(bytes, from, at);
  if (unsure && !found.inexact) found.inexact = !survivesDouble(bytes.toString('latin1', from, at));
  return at;
}

function isInfinite(bytes: Buffer, from: number, end: number): boolean {
  return !Number.isFinite(Number(bytes.toString('latin1', from, end)));
}

function skipDigits(bytes: Buffer, from: number): number {
  const end = bytes.length;
  let at = from;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte < ZERO || byte > NINE) break;
    at++;
  }
  return at;
}

function skipWord(bytes: Buffer, at: number, first: number): number {
  const word = first === 0x74 ? TRUE : first === 0x66 ? FALSE : first === 0x6e ? NULL : undefined;
  if (word === undefined || at + word.length > bytes.length) return -1;
  for (let index = 1; index < word.length; index++) if (bytes[at + index] !== word[index]) return -1;
  return at + word.length;
}

/** Which member of the envelope a key names; 0: another one. `id` written as an escape is the id all the same. */
export function memberOf(bytes: Buffer, start: number, end: number, escaped: boolean): number {
  if (escaped) {
    const key = JSON.parse(bytes.toString('utf8', start - 1, end + 1)) as string;
    return Object.hasOwn(MEMBER, key) ? MEMBER[key as keyof typeof MEMBER] : 0;
  }
  switch (end - start) {
    case 2:
      return same(bytes, start, ID) ? MEMBER.id : 0;
    case 5:
      return same(bytes, start, ERROR) ? MEMBER.error : 0;
    case 6:
      if (same(bytes, start, METHOD)) return MEMBER.method;
      if (same(bytes, start, PARAMS)) return MEMBER.params;
      return same(bytes, start, RESULT) ? MEMBER.result : 0;
    case 7:
      return same(bytes, start, JSONRPC) ? MEMBER.jsonrpc : 0;
    default:
      return 0;
  }
}

function same(bytes: Buffer, start: number, word: Buffer): boolean {
  for (let index = 0; index < word.length; index++) if (bytes[start + index] !== word[index]) return false;
  return true;
}

function noteMember(found: Scan, member: number, bytes: Buffer, start: number, end: number): void {
  switch (member) {
    case MEMBER.id:
      found.idStart = start;
      found.idEnd = end;
      break;
    case MEMBER.method:
      found.methodStart = start;
      found.methodEnd = end;
      break;
    case MEMBER.jsonrpc:
      found.versionStart = start;
      found.versionEnd = end;
      break;
    case MEMBER.params:
      found.params = bytes[start] as number;
      break;
    case MEMBER.error:
      found.error = bytes[start] as number;
  }
}
