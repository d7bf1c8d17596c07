// The part of YAML that a lock file is written in, written and read: block mappings and lists, and JSON for all that fits a
// line. Every YAML reader reads it alike; this one reads nothing else, in linear time, and keeps numbers exact. What does not
// show, or steers a terminal, is written as \u escapes: a diff of the file shows what is there.

import { displaySafeJson } from '@mcp-overlay/cli';
import { parseExact, RawJson, stringifyExact } from '@mcp-overlay/relay';
import { PinError } from './errors.ts';
import { PIN_LIMITS } from './limits.ts';

const PLAIN_KEY = /^[A-Za-z_$][A-Za-z0-9_$-]*$/;
/** Keys that other readers take for something else. */
const WORDS = /^(?:true|false|null|yes|no|on|off|y|n)$/i;
/** A key, and what is behind its colon. */
const MEMBER = /^(?:([A-Za-z_$][A-Za-z0-9_$-]*)|("(?:[^"\\]|\\.)*")):(?: (.*))?$/s;
const PRINTABLE = /^[ -~]*$/;
/** Lists of plain values up to here stand on one line. */
const INLINE_CHARS = 100;

/** What is written already, for the indent of the place where it stands. */
export class Written {
  readonly parts: readonly string[];

  constructor(parts: readonly string[]) {
    this.parts = parts;
  }
}

export function writeYaml(value: object, indent = 0): string {
  const parts: string[] = [];
  block(value, indent, '', parts);
  return parts.join('');
}

/** `lead`: what already stands on the first line. */
function block(value: object, indent: number, lead: string, parts: string[]): void {
  const pad = ' '.repeat(indent);
  let first = lead;
  if (Array.isArray(value)) {
    for (const one of value) {
      line(one, indent, `${first === '' ? pad : first}-`, parts, true);
      first = '';
    }
    return;
  }
  for (const [key, one] of Object.entries(value)) {
    if (one === undefined) continue;
    const name = PLAIN_KEY.test(key) && !WORDS.test(key) ? key : shown(JSON.stringify(key));
    line(one, indent, `${first === '' ? pad : first}${name}:`, parts, false);
    first = '';
  }
}

function line(value: unknown, indent: number, lead: string, parts: string[], inList: boolean): void {
  const inline = inlineOf(value);
  if (inline !== undefined) parts.push(`${lead} ${inline}\n`);
  else if (value instanceof Written) {
    parts.push(`${lead}\n`);
    for (const part of value.parts) parts.push(part);
  } else if (inList) block(value as object, indent + 2, `${lead} `, parts);
  else {
    parts.push(`${lead}\n`);
    block(value as object, indent + 2, '', parts);
  }
}

function inlineOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return shown(JSON.stringify(value) ?? 'null');
  if (value instanceof RawJson) return value.text;
  if (value instanceof Written) return undefined;
  const members = Object.values(value);
  if (members.every((one) => one === undefined)) return Array.isArray(value) ? '[]' : '{}';
  if (!Array.isArray(value) || members.some((one) => typeof one === 'object' && one !== null)) return undefined;
  const text = shown(`[${members.map((one) => stringifyExact(one)).join(', ')}]`);
  return text.length <= INLINE_CHARS ? text : undefined;
}

function shown(json: string): string {
  return PRINTABLE.test(json) ? json : displaySafeJson(json);
}

interface Line {
  readonly number: number;
  indent: number;
  text: string;
}

/** Throws `lock_invalid` with the line. */
export function readYaml(text: string, path: string): unknown {
  const lines: Line[] = [];
  for (const [at, whole] of text.split('\n').entries()) {
    const indent = whole.search(/[^ ]/);
    if (indent >= 0 && whole[indent] !== '#') lines.push({ number: at + 1, indent, text: whole.slice(indent) });
  }
  return new Reader(lines, path).whole();
}

class Reader {
  readonly #lines: readonly Line[];
  readonly #path: string;
  #at = 0;

  constructor(lines: readonly Line[], path: string) {
    this.#lines = lines;
    this.#path = path;
  }

  whole(): unknown {
    const value = this.#lines.length === 0 ? {} : this.#block(0, 0);
    const left = this.#lines[this.#at];
    if (left) throw this.#wrong(left, 'is indented otherwise than what is above it');
    return value;
  }

  #block(indent: number, depth: number): unknown {
    const first = this.#lines[this.#at];
    if (!first || first.indent !== indent) throw this.#wrong(first ?? this.#lines.at(-1), 'has nothing under it');
    if (depth > PIN_LIMITS.lockDepth) throw this.#wrong(first, 'is nested too deeply');
    return isEntry(first) ? this.#list(indent, depth) : this.#mapping(indent, depth);
  }

  #list(indent: number, depth: number): unknown[] {
    const found: unknown[] = [];
    for (let line = this.#lines[this.#at]; line?.indent === indent; line = this.#lines[this.#at]) {
      if (!isEntry(line)) throw this.#wrong(line, 'is no entry of the list above it');
      const rest = line.text.slice(2);
      if (rest.startsWith('- ') || MEMBER.test(rest)) {
        line.indent += 2;
        line.text = rest;
        found.push(this.#block(indent + 2, depth + 1));
      } else {
        found.push(this.#value(rest, line));
        this.#at += 1;
      }
    }
    return found;
  }

  #mapping(indent: number, depth: number): object {
    const found = new Map<string, unknown>();
    for (let line = this.#lines[this.#at]; line?.indent === indent; line = this.#lines[this.#at]) {
      const [, plain, quoted, rest] = MEMBER.exec(line.text) ?? [];
      const key = plain ?? (quoted === undefined ? undefined : this.#value(quoted, line));
      if (typeof key !== 'string') throw this.#wrong(line, 'is not "key: value"');
      if (found.has(key)) throw this.#wrong(line, `has ${JSON.stringify(key)} twice`);
      this.#at += 1;
      found.set(key, rest === undefined ? this.#block(indent + 2, depth + 1) : this.#value(rest, line));
    }
    return Object.fromEntries(found);
  }

  #value(text: string, line: Line): unknown {
    try {
      return text.startsWith('"') ? JSON.parse(text) : parseExact(text);
    } catch {
      throw this.#wrong(line, 'holds a value that is no JSON');
    }
  }

  #wrong(line: Line | undefined, what: string): PinError {
    return lockInvalid(this.#path, line?.number ?? 1, what);
  }
}

function isEntry({ text }: Line): boolean {
  return text.startsWith('- ');
}

export function lockInvalid(path: string, line: number | undefined, what: string): PinError {
  const restore = 'take it back from version control, or remove it: then all is seen for the first time';
  return new PinError('lock_invalid', `${path}${line === undefined ? '' : `:${line}`}: ${what}`, restore);
}
