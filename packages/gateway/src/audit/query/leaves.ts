// The values of a call's arguments as a record has them, each with the path that leads to it: digests (`s5:…`) where the
// log keeps no values, the values themselves where it does. What is asked for is put into the same words.

import { type ArgumentKeys, argumentKeys } from '../keys.ts';
import { AUDIT_LIMITS } from '../limits.ts';
import { digests, unseal } from '../redact.ts';
import { cutText } from '../safe-json.ts';
import type { AuditRecord } from './record.ts';

/** `a.b`; items of a list have the path of the list. */
export interface Leaf {
  readonly path: string;
  readonly word: string;
}

/** Reads with every key there is: which one a record was written with matters for what is sealed only. */
export interface LeafReader {
  leavesOf(record: AuditRecord): Leaf[];
  /** Every word that a value of this text may stand as. */
  wordsFor(value: string): ReadonlySet<string>;
  /** The arguments themselves; undefined: the record does not hold them. */
  valuesOf(record: AuditRecord): { readonly args: unknown } | undefined;
}

type Json = Readonly<Record<string, unknown>>;

export function leafReader(secrets: readonly Uint8Array[]): LeafReader {
  const keys = secrets.map(argumentKeys);
  const readers = keys.map((key) => digests(key));
  const opened = (record: AuditRecord): { args: unknown } | undefined => {
    const { sealed } = argsOf(record);
    return typeof sealed === 'string' ? openWith(keys, sealed, String(record.log)) : undefined;
  };
  return {
    leavesOf: (record) => {
      const { shape, clear } = argsOf(record);
      if (shape !== undefined) return leaves(shape, String);
      if (clear !== undefined) return leaves(clear, clearWord);
      const values = opened(record);
      const [first] = readers;
      return values && first ? leaves(values.args, (value) => first.leaf(value)) : [];
    },
    wordsFor: (text) => {
      const values = [text, ...otherReadings(text)];
      return new Set(values.flatMap((value) => [clearWord(value), ...readers.map((reader) => reader.leaf(value))]));
    },
    valuesOf: (record) => {
      const { clear, left_out: left } = argsOf(record);
      if (clear !== undefined) return left === undefined && !isCut(clear) ? { args: clear } : undefined;
      return opened(record);
    },
  };
}

function argsOf(record: AuditRecord): Json {
  const { args } = record;
  return typeof args === 'object' && args !== null ? (args as Json) : {};
}

/** What a shell's word may mean in JSON. */
function otherReadings(text: string): (number | boolean)[] {
  if (text === 'true' || text === 'false') return [text === 'true'];
  return /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) && Number.isFinite(Number(text)) ? [Number(text)] : [];
}

function clearWord(value: string | number | boolean): string {
  return `=${JSON.stringify(typeof value === 'string' ? cutText(value, AUDIT_LIMITS.textChars) : value)}`;
}

function isCut(value: unknown): boolean {
  return JSON.stringify(value).includes('…[+');
}

function openWith(keys: readonly ArgumentKeys[], sealed: string, log: string): { args: unknown } | undefined {
  for (const key of keys) {
    try {
      return { args: unseal(sealed, key, log) };
    } catch {
      // Sealed under another of the keys: that is what a ring is for.
    }
  }
  return undefined;
}

function leaves(value: unknown, word: (value: string | number | boolean) => string): Leaf[] {
  const found: Leaf[] = [];
  const visit = (one: unknown, path: string): void => {
    if (Array.isArray(one)) for (const item of one) visit(item, path);
    else if (typeof one === 'object' && one !== null) {
      for (const [key, inner] of Object.entries(one)) visit(inner, path === '' ? key : `${path}.${key}`);
    } else if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') {
      found.push({ path, word: word(one) });
    }
  };
  visit(value, '');
  return found;
}
