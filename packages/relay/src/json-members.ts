// Where members lie inside a message that is known to be right (it passed the scan, or JSON.stringify wrote it), and one
// member put into an answer's `_meta` without parsing the rest. Linear: a result of 16 MiB is walked once and copied once.
// Invariant: every other byte stays as it was.

import type { Message } from './message.ts';

/** From its first byte to behind its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
/** Shorter strings are done before a native search would have begun. */
const SHORT_STRING = 32;
const META_KEY = Buffer.from('_meta"');
/** A key may be written with escapes: then only reading it tells. */
const ESCAPED = Buffer.from('\\u');

/** Where the value of a member of the object at `at` lies; of equal keys the last, as JSON.parse has it. */
export function memberAt(bytes: Buffer, at: number, name: string): Span | undefined {
  let found: Span | undefined;
  eachMember(bytes, at, (keyStart, keyEnd, value) => {
    if (isKey(bytes, keyStart, keyEnd, name)) found = value;
  });
  return found;
}

/** The bytes of an answer's result, or of its error; undefined where it has none. */
export function payloadOf(answer: Message, member: 'result' | 'error'): Buffer | undefined {
  const span = memberAt(answer.bytes, skipBlanks(answer.bytes, 0), member);
  return span && answer.bytes.subarray(span.start, span.end);
}

/** The same answer with `value` (JSON text) under `key` of its result's `_meta`, in place of what stood there. The answer
 *  itself where its result is no object, or `_meta` is none. */
export function withResultMeta(answer: Message, key: string, value: string): Message {
  const { bytes } = answer;
  const result = memberAt(bytes, skipBlanks(bytes, 0), 'result');
  if (!result || bytes[result.start] !== OPEN_OBJECT) return answer;
  const member = `${JSON.stringify(key)}:${value}`;
  const mayHaveMeta = has(bytes, result, META_KEY) || has(bytes, result, ESCAPED);
  const meta = mayHaveMeta ? memberAt(bytes, result.start, '_meta') : undefined;
  if (!meta) return opened(answer, result, `"_meta":{${member}}`);
  if (bytes[meta.start] !== OPEN_OBJECT) return answer;
  const before = memberAt(bytes, meta.start, key);
  return before ? replaced(answer, before, value) : opened(answer, meta, member);
}

/** What stands under `key` of an answer's `_meta`, as text. Nothing is read where the key's bytes are nowhere. */
export function resultMetaOf(answer: Message, key: string): string | undefined {
  const { bytes } = answer;
  if (!bytes.includes(key)) return undefined;
  const result = memberAt(bytes, skipBlanks(bytes, 0), 'result');
  const meta = result && bytes[result.start] === OPEN_OBJECT ? memberAt(bytes, result.start, '_meta') : undefined;
  const found = meta && bytes[meta.start] === OPEN_OBJECT ? memberAt(bytes, meta.start, key) : undefined;
  return found && bytes.toString('utf8', found.start, found.end);
}

function has(bytes: Buffer, { start, end }: Span, what: Buffer): boolean {
  const at = bytes.indexOf(what, start);
  return at >= 0 && at < end;
}

/** A new first member of the object. */
function opened(message: Message, { start }: Span, member: string): Message {
  const first = skipBlanks(message.bytes, start + 1);
  const comma = message.bytes[first] === CLOSE_OBJECT ? '' : ',';
  return replaced(message, { start: start + 1, end: start + 1 }, `${member}${comma}`);
}

function replaced(message: Message, { start, end }: Span, text: string): Message {
  const { bytes, idAt } = message;
  const length = Buffer.byteLength(text);
  const copy = Buffer.allocUnsafe(bytes.length - (end - start) + length);
  bytes.copy(copy, 0, 0, start);
  copy.write(text, start);
  bytes.copy(copy, start + length, end);
  const moved = idAt === undefined || idAt < start ? idAt : idAt + length - (end - start);
  return { ...message, bytes: copy, ...(moved === undefined ? {} : { idAt: moved }) };
}

function isKey(bytes: Buffer, start: number, end: number, name: string): boolean {
  const text = bytes.toString('utf8', start, end);
  return text === name || (text.includes('\\') && JSON.parse(`"${text}"`) === name);
}

function eachMember(bytes: Buffer, at: number, tell: (keyStart: number, keyEnd: number, value: Span) => void): void {
  let here = skipBlanks(bytes, at + 1);
  while (here < bytes.length && bytes[here] === QUOTE) {
    const keyEnd = skipString(bytes, here);
    const colon = skipBlanks(bytes, keyEnd);
    const start = skipBlanks(bytes, colon + 1);
    const end = skipValue(bytes, start);
    tell(here + 1, keyEnd - 1, { start, end });
    here = skipBlanks(bytes, end);
    if (bytes[here] === COMMA) here = skipBlanks(bytes, here + 1);
  }
}

function skipValue(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  if (first === QUOTE) return skipString(bytes, at);
  if (first !== OPEN_OBJECT && first !== OPEN_ARRAY) return skipWord(bytes, at);
  let depth = 0;
  for (let here = at; here < bytes.length; ) {
    const byte = bytes[here] as number;
    if (byte === QUOTE) {
      here = skipString(bytes, here);
      continue;
    }
    here += 1;
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth += 1;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      depth -= 1;
      if (depth === 0) return here;
    }
  }
  return bytes.length;
}

/** A number or a word. */
function skipWord(bytes: Buffer, at: number): number {
  let here = at;
  for (; here < bytes.length; here += 1) {
    const byte = bytes[here] as number;
    if (byte <= SPACE || byte === COMMA || byte === CLOSE_OBJECT || byte === CLOSE_ARRAY || byte === COLON) break;
  }
  return here;
}

/** From the opening quote to behind the closing one. */
/** From the opening quote to behind the closing one. */
export function skipString(bytes: Buffer, at: number): number {
  let here = at + 1;
  const border = Math.min(bytes.length, here + SHORT_STRING);
  while (here < border) {
    const byte = bytes[here] as number;
    if (byte === QUOTE) return here + 1;
    here += byte === BACKSLASH ? 2 : 1;
  }
  let from = here;
  for (;;) {
    const quote = bytes.indexOf(QUOTE, from);
    if (quote < 0) return bytes.length;
    // An odd number of backslashes before it, counted no further back than where counting began: an escape.
    let slashes = 0;
    while (quote - 1 - slashes >= here && bytes[quote - 1 - slashes] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return quote + 1;
    from = quote + 1;
    here = from;
  }
}

function skipBlanks(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] as number) <= SPACE) at += 1;
  return at;
}
