// What can be told of a line that will not be carried: its id and its kind, from its first and last few KiB, so that the
// request can be answered instead of waiting for ever. Feeds the Faults of ./json-rpc.ts.
// Invariant: an id is told only if it stands at the top level, and only if both ends agree on it.

import { isUtf8 } from 'node:buffer';
import { MEMBER, memberOf, type Scan, scan } from './json-scan.ts';
import type { Fault } from './message.ts';

/** Both ends of a line: they may overlap. */
export interface LineEnds {
  readonly head: Buffer;
  readonly tail: Buffer;
}

export type Glimpse = Pick<Fault, 'id' | 'kind'>;

/** How much of either end is kept and looked at. */
export const GLIMPSE_BYTES = 4096;
/** An id longer than this is no id anybody sends, and is not kept as a key. Real ones are numbers and UUIDs. */
export const MAX_ID_BYTES = 1024;

const UNLIMITED = { jsonDepth: GLIMPSE_BYTES, jsonTokens: GLIMPSE_BYTES };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const CLOSE_OBJECT = 0x7d;
const BLANKS: readonly number[] = [0x20, 0x09, 0x0a, 0x0d];

export function glimpseEnds({ head, tail }: LineEnds): Glimpse {
  const front = scan(head, UNLIMITED);
  const back = readBackwards(tail);
  const frontId = isWhole(front, head) ? idText(head, front) : undefined;
  const id = frontId === undefined || back.id === undefined || frontId === back.id ? (frontId ?? back.id) : undefined;
  return { id, kind: kindOf(front.keys | back.keys, id) };
}

/** The raw text of an id that can be answered: a string or a number. */
export function idText(bytes: Buffer, found: Scan): string | undefined {
  if (found.idEnd === 0 || found.twice || found.idEnd - found.idStart > MAX_ID_BYTES) return undefined;
  const first = bytes[found.idStart] as number;
  const answerable = first === QUOTE || first === 0x2d || (first >= 0x30 && first <= 0x39);
  return answerable ? bytes.toString('utf8', found.idStart, found.idEnd) : undefined;
}

function kindOf(keys: number, id: string | undefined): Glimpse['kind'] {
  if ((keys & (MEMBER.result | MEMBER.error)) !== 0) return 'response';
  return (keys & MEMBER.method) !== 0 && id !== undefined ? 'request' : 'unknown';
}

/** A number at the very end may have been cut; and what is no UTF-8 has no text. */
function isWhole({ idStart, idEnd }: Scan, head: Buffer): boolean {
  return idEnd < head.length && isUtf8(head.subarray(idStart, idEnd));
}

/** The last members of the top-level object. In valid JSON a quote is escaped exactly when an odd number of backslashes
 *  stands before it, so strings can be walked from behind. */
function readBackwards(tail: Buffer): { id: string | undefined; keys: number } {
  let id: string | undefined;
  let keys = 0;
  let at = skipBlanksBack(tail, tail.length - 1);
  if (tail[at] !== CLOSE_OBJECT) return { id, keys };
  do {
    const end = skipBlanksBack(tail, at - 1);
    const start = valueStart(tail, end);
    const colon = skipBlanksBack(tail, start - 1);
    const keyEnd = skipBlanksBack(tail, colon - 1);
    const keyStart = tail[colon] === COLON && tail[keyEnd] === QUOTE ? stringStart(tail, keyEnd) : -1;
    if (keyStart < 0) break;
    const member = keyOf(tail, keyStart, keyEnd);
    if (member === MEMBER.id) id = (keys & member) === 0 ? idOf(tail.subarray(start, end + 1)) : undefined;
    keys |= member;
    at = skipBlanksBack(tail, keyStart - 1);
  } while (tail[at] === COMMA);
  return { id, keys };
}

/** Judged by the same rules as an id that was read forwards. */
function idOf(text: Buffer): string | undefined {
  const line = Buffer.concat([Buffer.from('{"id":'), text, Buffer.from('}')]);
  const found = scan(line, UNLIMITED);
  return found.fault === undefined ? idText(line, found) : undefined;
}

function keyOf(tail: Buffer, quote: number, keyEnd: number): number {
  const key = tail.subarray(quote, keyEnd + 1);
  const found = scan(key, UNLIMITED);
  return found.fault === undefined ? memberOf(key, 1, key.length - 1, found.escaped) : 0;
}

function skipBlanksBack(tail: Buffer, from: number): number {
  let at = from;
  while (at >= 0 && BLANKS.includes(tail[at] as number)) at--;
  return at;
}

/** First byte of the value that ends at `end`; -1 if it began earlier. */
function valueStart(tail: Buffer, end: number): number {
  let depth = 0;
  for (let at = end; at >= 0; at--) {
    const byte = tail[at] as number;
    if (byte === QUOTE) {
      at = stringStart(tail, at);
      if (at < 0) return -1;
      if (depth === 0) return at;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth++;
    } else if (byte === 0x7b || byte === 0x5b) {
      depth--;
      if (depth <= 0) return depth < 0 ? -1 : at;
    } else if (depth === 0) {
      const before = tail[at - 1];
      if (before === undefined) return -1;
      if (before === COLON || before <= 0x20) return at;
    }
  }
  return -1;
}

/** The opening quote of the string that closes at `quote`; -1 if it stands earlier, or might. */
function stringStart(tail: Buffer, quote: number): number {
  let at = quote;
  while (at > 0) {
    at = tail.lastIndexOf(QUOTE, at - 1);
    let first = at;
    while (first > 0 && tail[first - 1] === BACKSLASH) first--;
    // What stands before the tail could be one more backslash.
    if (first <= 0) return -1;
    if ((at - first) % 2 === 0) return at;
  }
  return -1;
}
