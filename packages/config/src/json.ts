// JSON with the two liberties of client files: comments, and a comma after the last item. Text in, our tree out.
// Linear; the first error ends it, with its place. `JSON.parse` tells no places and lets the last of two equal keys win.

import type { Report } from './errors.ts';
import { type At, MAX_DEPTH, MAX_NODES, type MapEntry, type Node, quoteText } from './node.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const LITERALS = { true: true, false: false, null: null } as const;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;

class Stop extends Error {}

export function readJson(text: string, report: Report): Node | undefined {
  let offset = 0;
  let line = 1;
  let lineStart = 0;
  let nodes = 0;

  const here = (): At => ({ line, col: offset - lineStart + 1 });
  const fail = (expected: string, at: At = here()): Stop => {
    report.problem({ ...at, key: '' }, `not valid JSON: ${expected}`);
    return new Stop();
  };
  const found = (): string => (offset >= text.length ? 'the end of the file' : quoteText(charAt(text, offset)));

  const skipBlank = (): void => {
    for (;;) {
      const char = text[offset];
      if (char === '\n') {
        offset += 1;
        line += 1;
        lineStart = offset;
      } else if (char === ' ' || char === '\t' || char === '\r') {
        offset += 1;
      } else if (char === '/' && text[offset + 1] === '/') {
        const end = text.indexOf('\n', offset);
        offset = end < 0 ? text.length : end;
      } else if (char === '/' && text[offset + 1] === '*') {
        skipBlock();
      } else return;
    }
  };

  const skipBlock = (): void => {
    const at = here();
    const end = text.indexOf('*/', offset + 2);
    if (end < 0) throw fail('the comment that begins here has no end', at);
    for (let next = text.indexOf('\n', offset); next >= 0 && next < end; next = text.indexOf('\n', next + 1)) {
      line += 1;
      lineStart = next + 1;
    }
    offset = end + 2;
  };

  const readString = (): string => {
    const at = here();
    offset += 1;
    let out = '';
    for (;;) {
      const char = text[offset];
      if (char === undefined || char === '\n') throw fail('the text that begins here has no closing quote', at);
      if (char === '"') {
        offset += 1;
        return out;
      }
      if (char < ' ') throw fail(`expected an escape instead of a control character (got ${found()})`);
      if (char !== '\\') {
        out += char;
        offset += 1;
        continue;
      }
      const letter = text[offset + 1] ?? '';
      const hex = text.slice(offset + 2, offset + 6);
      if (letter === 'u' && /^[0-9a-fA-F]{4}$/.test(hex)) {
        out += String.fromCharCode(Number.parseInt(hex, 16));
        offset += 6;
      } else {
        const plain = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
        if (plain === undefined) throw fail(`unknown escape ${quoteText(`\\${letter}`)}`);
        out += plain;
        offset += 2;
      }
    }
  };

  const readValue = (depth: number): Node => {
    const at = here();
    nodes += 1;
    if (nodes > MAX_NODES) throw fail(`more than ${MAX_NODES} values in a file`);
    if (depth > MAX_DEPTH) throw fail(`more than ${MAX_DEPTH} levels of nesting`);
    const char = text[offset];
    if (char === '{') return readObject(at, depth);
    if (char === '[') return readArray(at, depth);
    if (char === '"') {
      const value = readString();
      return { kind: 'scalar', at, value, text: value };
    }
    const number = match(NUMBER, text, offset);
    if (number !== undefined) {
      offset += number.length;
      return { kind: 'scalar', at, value: Number(number), text: number };
    }
    const word = match(WORD, text, offset);
    if (word !== undefined && Object.hasOwn(LITERALS, word)) {
      offset += word.length;
      return { kind: 'scalar', at, value: LITERALS[word as keyof typeof LITERALS], text: word };
    }
    throw fail(`expected a value (got ${word === undefined ? found() : quoteText(word)})`);
  };

  const readArray = (at: At, depth: number): Node => {
    const items: Node[] = [];
    offset += 1;
    for (;;) {
      skipBlank();
      if (text[offset] === ']') break;
      items.push(readValue(depth + 1));
      skipBlank();
      if (text[offset] === ',') offset += 1;
      else if (text[offset] !== ']') throw fail(`expected a comma or ] (got ${found()})`);
    }
    offset += 1;
    return { kind: 'list', at, items };
  };

  const readObject = (at: At, depth: number): Node => {
    const entries = new Map<string, MapEntry>();
    offset += 1;
    for (;;) {
      skipBlank();
      if (text[offset] === '}') break;
      if (text[offset] !== '"') throw fail(`expected a key in double quotes or } (got ${found()})`);
      const keyAt = here();
      const key = readString();
      skipBlank();
      if (text[offset] !== ':') throw fail(`expected : after the key (got ${found()})`);
      offset += 1;
      skipBlank();
      const value = readValue(depth + 1);
      const before = entries.get(key);
      if (before) {
        report.problem({ ...keyAt, key }, `key ${quoteText(key)} is given twice`, `first on line ${before.at.line}`);
      } else entries.set(key, { at: keyAt, value });
      skipBlank();
      if (text[offset] === ',') offset += 1;
      else if (text[offset] !== '}') throw fail(`expected a comma or } (got ${found()})`);
    }
    offset += 1;
    return { kind: 'map', at, entries };
  };

  try {
    skipBlank();
    const root = readValue(0);
    skipBlank();
    if (offset < text.length) throw fail(`expected the end of the file (got ${found()})`);
    return root;
  } catch (error) {
    if (error instanceof Stop) return undefined;
    throw error;
  }
}

function match(pattern: RegExp, text: string, offset: number): string | undefined {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0];
}

function charAt(text: string, offset: number): string {
  return String.fromCodePoint(text.codePointAt(offset) ?? 0);
}
