// The first look at a whole message, over its raw bytes and without parsing: could any rule find anything? Each byte is read
// once. What it cannot judge, an escaped character, a byte beyond ASCII, a long run that may be encoded, is a yes.

import type { LiteralFinder } from './literals.ts';

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
/** As ./decode.ts looks for them. */
const ENCODED_RUN = 20;
const SINGLES = 6;

/** What a byte is to runs: 2 part of base64 or hex, 1 a gap between spaced letters, 0 neither. */
const KINDS = kinds();

function kinds(): Uint8Array {
  const table = new Uint8Array(256);
  for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_')
    table[char.charCodeAt(0)] = 2;
  for (const char of ' .*') table[char.charCodeAt(0)] = 1;
  return table;
}

export interface Glance {
  /** By literal: whether it occurs; undefined: none does, as in most messages. */
  readonly seen: Uint8Array | undefined;
  /** Something that bytes cannot tell: parse, and look at the texts. */
  readonly unsure: boolean;
}

export function glance(bytes: Uint8Array, finder: LiteralFinder): Glance {
  const { next, classOf, ends, width } = finder.tables();
  let seen: Uint8Array | undefined;
  let state = 0;
  let run = 0;
  let singles = 0;
  let gap = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number;
    state = next[state + (classOf[byte] as number)] as number;
    if (state !== 0 && ends[state / width] === 1) {
      seen ??= new Uint8Array(finder.literals.length);
      for (const literal of finder.literalsAt(state)) seen[literal] = 1;
    }
    const kind = KINDS[byte] as number;
    if (kind === 2) {
      run += 1;
      gap = 0;
      if (run === ENCODED_RUN) return { seen, unsure: true };
      continue;
    }
    if (byte >= 0x80) return { seen, unsure: true };
    if (byte === BACKSLASH) {
      const escaped = bytes[at + 1];
      if (escaped === LETTER_U || escaped === BACKSLASH) return { seen, unsure: true };
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
