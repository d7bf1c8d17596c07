// The first look at a whole message, over its raw bytes and without parsing: could any rule find anything? Each byte is read
// once. What it cannot judge, an escaped character, a byte beyond ASCII, a long run that may be encoded, is a yes.

import { isWordy } from './decode.ts';
import { SCRUB_LIMITS } from './limits.ts';
import type { LiteralFinder } from './literals.ts';

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const SLASH = 0x2f;
const QUOTE = 0x22;
const SPACE = 0x20;
const COLON = 0x3a;
const EQUALS = 0x3d;
/** As ./decode.ts looks for them. */
const ENCODED_RUN = 20;
const SINGLES = 6;

/** In pairs of digits, with or without one character between runs of them. */
const HEX_DIGITS = 24;
const HEX_RUN = /[0-9A-Fa-f]{24}/;

/** What a byte is to runs: 3 part of base64 and a hex digit, 2 part of base64, 1 a gap between spaced letters, 0 neither. */
const KINDS = kinds();

function kinds(): Uint8Array {
  const table = new Uint8Array(256);
  for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_')
    table[char.charCodeAt(0)] = 2;
  for (const char of '0123456789abcdefABCDEF') table[char.charCodeAt(0)] = 3;
  for (const char of ' .*') table[char.charCodeAt(0)] = 1;
  return table;
}

export interface Glance {
  /** By literal: whether it occurs; undefined: none does, as in most messages. */
  readonly seen: Uint8Array | undefined;
  /** Something that bytes cannot tell: parse, and look at the texts. */
  readonly unsure: boolean;
}

/** Words of the protocol, as whole strings of JSON: they are in every message, and no rule finds them. By their first byte. */
export type QuietWords = readonly (readonly Uint8Array[] | undefined)[];

export function quietWords(words: readonly string[]): QuietWords {
  const byFirst: Uint8Array[][] = [];
  for (const word of words) {
    const bytes = Buffer.from(`${word}"`);
    const first = bytes[0] as number;
    byFirst[first] = [...(byFirst[first] ?? []), bytes];
  }
  return byFirst;
}

export interface GlanceTables {
  readonly finder: LiteralFinder;
  /** By literal: 1 where it counts only as a word. */
  readonly words: Uint8Array;
  readonly quiet: QuietWords;
}

export function glance(bytes: Uint8Array, { finder, words, quiet }: GlanceTables): Glance {
  const { next, classOf, ends, width } = finder.tables();
  let seen: Uint8Array | undefined;
  let state = 0;
  let run = 0;
  let runIsHex = true;
  let hex = 0;
  let singles = 0;
  let gap = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) {
      const some = quiet[bytes[at + 1] as number];
      const passed = some === undefined ? 0 : passedBy(bytes, at + 1, some);
      if (passed > 0) {
        at += passed;
        state = 0;
        run = 0;
        hex = 0;
        singles = 0;
        continue;
      }
    }
    state = next[state + (classOf[byte] as number)] as number;
    if (state !== 0 && ends[state / width] === 1) {
      for (const literal of finder.literalsAt(state)) {
        if (words[literal] === 1 && !isWordAt(bytes, at + 1, finder.literals[literal] as string)) continue;
        seen ??= new Uint8Array(finder.literals.length);
        seen[literal] = 1;
      }
    }
    const kind = KINDS[byte] as number;
    if (kind >= 2) {
      if (run === 0) runIsHex = true;
      if (kind === 2) runIsHex = false;
      run += 1;
      gap = 0;
      continue;
    }
    if (run >= ENCODED_RUN && (byte === EQUALS || !isPlain(bytes, at - run, at))) return { seen, unsure: true };
    hex = run > 0 && runIsHex && run % 2 === 0 ? hex + run : 0;
    if (hex >= HEX_DIGITS) return { seen, unsure: true };
    if (byte !== SPACE && byte !== COLON) hex = 0;
    if (byte >= 0x80) return { seen, unsure: true };
    if (byte === BACKSLASH) {
      const escaped = bytes[at + 1];
      if (escaped === LETTER_U || escaped === BACKSLASH || escaped === SLASH) return { seen, unsure: true };
    }
    if (kind === 1) {
      gap += 1;
      if (run === 1) singles += 1;
      else if (run > 1 || gap > 3) singles = 0;
      if (singles >= SINGLES) return { seen, unsure: true };
    } else {
      singles = 0;
    }
    run = 0;
  }
  return { seen, unsure: false };
}

/** A long word, an identifier, a path: nothing that ./decode.ts would decode. */
function isPlain(bytes: Uint8Array, from: number, to: number): boolean {
  // A pattern remembers each of its steps, and has no more room for that than a stack.
  if (to - from > SCRUB_LIMITS.windowChars) return false;
  const run = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
  return isWordy(run) && !HEX_RUN.test(run);
}

/** How many bytes the word that stands here is long, with its closing quote; 0: none of these. */
function passedBy(bytes: Uint8Array, from: number, words: readonly Uint8Array[]): number {
  for (const word of words) {
    let at = 0;
    while (at < word.length && bytes[from + at] === word[at]) at += 1;
    if (at === word.length) return at;
  }
  return 0;
}

function isLetter(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a));
}

/** As `isWord` of ./scan.ts, on bytes: a line break is a backslash and a letter, which ends a word. */
function isWordAt(bytes: Uint8Array, end: number, { length }: string): boolean {
  const start = end - length;
  if (!isLetter(bytes[start])) return true;
  if (isLetter(bytes[start - 1]) && bytes[start - 2] !== BACKSLASH) return false;
  return length > 3 || !isLetter(bytes[end]);
}
