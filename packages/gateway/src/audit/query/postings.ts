// The index of one segment, in memory and as bytes: where each record begins, and which records have a word. Words are kept
// as hashes of 32 bits: whatever is found by one is read in the log and looked at. A word that many records have is not kept,
// for it finds nothing faster than reading. Layout of the bytes, little-endian:
//   offsets u32[count + 1] ‖ table (hash u32, value u32)[words], by hash ‖ lists
//   value: the one record, or 2^31 + where its list begins; 2^32 - 1: many. A list: count, then gaps, as LEB128.

export interface Postings {
  readonly count: number;
  /** Of record `at`; `offset(count)` is the end of the last. */
  offset(at: number): number;
  /** Records that may have this word, in order; undefined: too many to say. */
  list(word: string): readonly number[] | undefined;
}

const MANY = 0xffff_ffff;
const LIST = 0x8000_0000;
/** A word of more than one in this many records narrows nothing. */
const MANY_OF = 6;

export class PostingsBuilder {
  private readonly offsets: number[] = [];
  /** Of a word: its one record, or all of them. */
  private readonly words = new Map<number, number | number[]>();
  private end = 0;

  add(offset: number, end: number, words: Iterable<string>): void {
    const at = this.offsets.length;
    this.offsets.push(offset);
    this.end = end;
    for (const word of words) {
      const hash = hashOf(word);
      const known = this.words.get(hash);
      if (known === undefined) this.words.set(hash, at);
      else if (typeof known === 'number') {
        if (known !== at) this.words.set(hash, [known, at]);
      } else if (known[known.length - 1] !== at) known.push(at);
    }
  }

  bytes(): Buffer {
    const { offsets, words } = this;
    const most = Math.max(16, offsets.length / MANY_OF);
    const hashes = Uint32Array.from(words.keys()).sort();
    const lists: number[] = [];
    const fixed = new Uint32Array(offsets.length + 1 + 2 * hashes.length);
    fixed.set(offsets);
    fixed[offsets.length] = this.end;
    for (let at = 0; at < hashes.length; at += 1) {
      const hash = hashes[at] as number;
      const found = words.get(hash) as number | number[];
      const place = offsets.length + 1 + 2 * at;
      fixed[place] = hash;
      if (typeof found === 'number') fixed[place + 1] = found;
      else if (found.length > most) fixed[place + 1] = MANY;
      else {
        fixed[place + 1] = LIST + lists.length;
        pushVarint(lists, found.length);
        let before = 0;
        for (const record of found) {
          pushVarint(lists, record - before);
          before = record;
        }
      }
    }
    return Buffer.concat([new Uint8Array(fixed.buffer), Uint8Array.from(lists)]);
  }

  get count(): number {
    return this.offsets.length;
  }

  get wordCount(): number {
    return this.words.size;
  }
}

export function readPostings(bytes: Buffer, count: number, words: number): Postings {
  const table = 4 * (count + 1);
  const lists = table + 8 * words;
  const place = (hash: number): number | undefined => {
    let from = 0;
    let to = words;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const here = bytes.readUInt32LE(table + 8 * middle);
      if (here === hash) return bytes.readUInt32LE(table + 8 * middle + 4);
      if (here < hash) from = middle + 1;
      else to = middle;
    }
    return undefined;
  };
  return {
    count,
    offset: (at) => bytes.readUInt32LE(4 * at),
    list: (word) => {
      const value = place(hashOf(word));
      if (value === undefined) return [];
      if (value === MANY) return undefined;
      return value < LIST ? [value] : readList(bytes, lists + value - LIST);
    },
  };
}

function readList(bytes: Buffer, from: number): number[] {
  let at = from;
  const next = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  const found: number[] = new Array<number>(next());
  let before = 0;
  for (let index = 0; index < found.length; index += 1) {
    before += next();
    found[index] = before;
  }
  return found;
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
}

/** FNV-1a over UTF-16 units, stirred. No secret: two words that meet here cost one look into the log. */
function hashOf(word: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < word.length; at += 1) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  return hash >>> 0;
}
