// The copy of a text that patterns look at: compatibility forms, case, diacritics of Latin letters and look-alike letters
// folded, invisible characters left out; and for each of its characters where it stood. Look-alikes are folded only in words
// that mix them with ASCII letters or consist of nothing else, so that Russian and Greek stay what they are.

import { confusables } from './confusables.ts';
import type { View } from './pattern.ts';

export interface Shadow {
  readonly text: string;
  /** Offset in the original of the character behind each one here, and where that one ends. */
  start(at: number): number;
  end(at: number): number;
}

const NON_ASCII = /[^\0-\x7f]/;
/** Default-ignorable characters and fillers: shown as nothing. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\p{Cf}]/u;
const MAX_CACHED = 8192;
/** Shorter words of nothing but look-alikes are words: `с`, `все`. */
const MIN_DISGUISED = 5;

export function isAscii(text: string): boolean {
  return !NON_ASCII.test(text);
}

/** Makes shadows; remembers how single characters fold. */
export class Folder {
  private readonly cache = new Map<number, string>();
  private readonly looks = confusables();

  fold(text: string): Shadow {
    let units = new Uint16Array(text.length + 64);
    let starts = new Uint32Array(text.length + 64);
    let ends = new Uint32Array(text.length + 64);
    let length = 0;
    let word = 0;
    let ascii = false;
    let foreign = 0;
    let like = 0;
    const endWord = (): void => {
      if (like > 0 && (ascii || (like === foreign && like >= MIN_DISGUISED))) this.unmask(units, word, length);
      word = length;
      ascii = false;
      foreign = 0;
      like = 0;
    };
    for (let at = 0; at < text.length; ) {
      const code = text.charCodeAt(at);
      if (code < 0x80) {
        const lower = code >= 0x41 && code <= 0x5a ? code + 32 : code;
        if (length >= units.length) [units, starts, ends] = grow(units, starts, ends);
        units[length] = lower;
        starts[length] = at;
        ends[length] = at + 1;
        length += 1;
        at += 1;
        if (lower >= 0x61 && lower <= 0x7a) ascii = true;
        else endWord();
        continue;
      }
      const point = text.codePointAt(at) as number;
      const size = point > 0xffff ? 2 : 1;
      const folded = this.foldPoint(point);
      if (length + folded.length > units.length) [units, starts, ends] = grow(units, starts, ends);
      for (let index = 0; index < folded.length; index += 1) {
        const unit = folded.charCodeAt(index);
        units[length] = unit;
        starts[length] = at;
        ends[length] = at + size;
        length += 1;
        if (unit >= 0x61 && unit <= 0x7a) ascii = true;
        else if (unit < 0x80 || unit === 0x3000) endWord();
        else {
          foreign += 1;
          if (this.looks.has(unit)) like += 1;
        }
      }
      at += size;
    }
    endWord();
    return {
      text: decode(units, length),
      start: (index) => starts[index] ?? text.length,
      end: (index) => ends[index] ?? text.length,
    };
  }

  private unmask(units: Uint16Array, from: number, to: number): void {
    for (let at = from; at < to; at += 1) units[at] = this.looks.get(units[at] as number) ?? (units[at] as number);
  }

  private foldPoint(point: number): string {
    const known = this.cache.get(point);
    if (known !== undefined) return known;
    const folded = foldOne(String.fromCodePoint(point));
    if (this.cache.size >= MAX_CACHED) this.cache.clear();
    this.cache.set(point, folded);
    return folded;
  }
}

/** A pattern file's literal, as it stands in shadows. */
export function foldLiteral(literal: string): string {
  return isAscii(literal) ? literal.toLowerCase() : new Folder().fold(literal.toLowerCase()).text;
}

function foldOne(char: string): string {
  if (UNSEEN.test(char) || /\p{Cs}/u.test(char)) return '';
  // Marks that stand alone belong to the letter before.
  if (/[\u0300-\u036f]/.test(char)) return '';
  if (/\s/.test(char)) return ' ';
  const plain = char
    .normalize('NFKC')
    .replace(/\p{Script=Latin}+/gu, (latin) => latin.normalize('NFKD').replace(/\p{Mn}/gu, ''))
    .toLowerCase();
  return plain.replaceAll('ß', 'ss').replaceAll('’', "'").replaceAll('ё', 'е').replaceAll('\u0307', '');
}

function grow(
  units: Uint16Array<ArrayBuffer>,
  starts: Uint32Array<ArrayBuffer>,
  ends: Uint32Array<ArrayBuffer>,
): [Uint16Array<ArrayBuffer>, Uint32Array<ArrayBuffer>, Uint32Array<ArrayBuffer>] {
  const size = units.length * 2;
  const more = [new Uint16Array(size), new Uint32Array(size), new Uint32Array(size)] as const;
  more[0].set(units);
  more[1].set(starts);
  more[2].set(ends);
  return [...more];
}

function decode(units: Uint16Array, length: number): string {
  return Buffer.from(units.buffer, units.byteOffset, length * 2).toString('utf16le');
}

/** A piece of a shadow as a pattern wants it, with where each character stood in the piece. */
export interface Piece {
  readonly text: string;
  at(index: number): number;
}

const SPACE = 0x20;
/** In `words`: what writers put around and between words without changing what is said. */
const DECORATION = new Set([...'*_~`|\\"“”„«»'].map((char) => char.charCodeAt(0)));
const BACKSLASH = 0x5c;

/** What a unit becomes in `words` and in `text`: itself in lower case, or a blank. */
const WORDS = new Uint16Array(0x80).map((_, unit) => (isBlank(unit) || DECORATION.has(unit) ? SPACE : lower(unit)));
const TEXT = new Uint16Array(0x80).map((_, unit) => (isBlank(unit) ? SPACE : lower(unit)));

function isBlank(unit: number): boolean {
  return unit <= SPACE;
}

function lower(unit: number): number {
  return unit >= 0x41 && unit <= 0x5a ? unit + 32 : unit;
}

/** Cuts pieces; one at a time, for its memory is used again. */
export class PieceCutter {
  private units = new Uint16Array(1024);
  private places = new Uint32Array(1025);

  cut(shadow: string, from: number, to: number, view: View): Piece {
    if (view === 'raw') return { text: shadow.slice(from, to), at: (index) => index };
    const size = to - from;
    if (size > this.units.length) {
      this.units = new Uint16Array(size);
      this.places = new Uint32Array(size + 1);
    }
    const { units, places } = this;
    const table = view === 'words' ? WORDS : TEXT;
    let length = 0;
    let blank = false;
    let wide = false;
    for (let at = from; at < to; at += 1) {
      let unit = shadow.charCodeAt(at);
      const place = at;
      if (unit < 0x80) {
        // Text inside text: a line break written as two characters.
        const next = unit === BACKSLASH && view === 'words' ? shadow.charCodeAt(at + 1) : 0;
        unit = table[unit] as number;
        if (next === 0x6e || next === 0x72 || next === 0x74) at += 1;
        if (unit === SPACE) {
          if (blank) continue;
          blank = true;
        } else blank = false;
      } else {
        wide = true;
        if (view === 'words' && DECORATION.has(unit)) {
          if (blank) continue;
          unit = SPACE;
          blank = true;
        } else blank = false;
      }
      units[length] = unit;
      places[length] = place - from;
      length += 1;
    }
    places[length] = size;
    return { text: wide ? decode(units, length) : ascii(units, length), at: (index) => places[index] ?? size };
  }
}

/** Half the size in memory, and faster to search. */
function ascii(units: Uint16Array, length: number): string {
  return Buffer.from(units.subarray(0, length)).toString('latin1');
}

/** For one piece alone. */
export function pieceOf(shadow: string, from: number, to: number, view: View): Piece {
  return new PieceCutter().cut(shadow, from, to, view);
}
