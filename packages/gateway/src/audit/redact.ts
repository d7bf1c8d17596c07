// What a record keeps of a call's arguments and result. By default (`digest`) no value at all: their shape, and for each
// value an HMAC under a key of its own, so that whoever has the key finds "who called X with Y" and whoever has only the log
// cannot try out values (T39: a plain hash of a short value is the value). `sealed` adds the arguments encrypted, `clear`
// writes them.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { RawJson } from '@mcp-overlay/relay';
import type { ArgumentKeys } from './keys.ts';
import { AUDIT_LIMITS as LIMITS } from './limits.ts';
import { ShortMac } from './line-hash.ts';
import { cutText, escaped } from './safe-json.ts';

export type ArgumentsMode = 'digest' | 'sealed' | 'clear';

/** Digests as records carry them: a reader with the key computes the same and compares. */
export interface Digests {
  /** Of one value anywhere in the arguments: `s5:…` a string of 5, `n:…`, `b:…`. */
  leaf(value: string | number | boolean): string;
  /** Of all arguments, whatever the order of their keys. */
  whole(args: unknown): string;
  result(bytes: Uint8Array): string;
}

export function digests({ digest }: ArgumentKeys): Digests {
  const leaves = new ShortMac(digest, 'leaf\n');
  const wholes = new ShortMac(digest, 'args\n', LIMITS.atOnceBytes);
  const results = new ShortMac(digest, 'result\n', LIMITS.atOnceBytes);
  return {
    leaf: (value) => {
      const kind = typeof value === 'string' ? `s${value.length}` : typeof value === 'number' ? 'n' : 'b';
      return `${kind}:${leaves.shortOf(JSON.stringify(value))}`;
    },
    whole: (args) => wholes.hexOf(canonical(args)),
    result: (bytes) => results.hexOf(bytes),
  };
}

export class Redactor {
  readonly #mode: ArgumentsMode;
  readonly #keys: ArgumentKeys;
  readonly #digests: Digests;
  readonly #log: string;

  constructor(mode: ArgumentsMode, keys: ArgumentKeys, log: string) {
    this.#mode = mode;
    this.#keys = keys;
    this.#digests = digests(keys);
    this.#log = log;
  }

  /** JSON, bounded. `tight`: there is room for no more than a digest. */
  args(args: unknown, tight = false): string {
    const text = JSON.stringify(args) ?? 'null';
    const bytes = Buffer.byteLength(text);
    const head = `{"hmac":"${this.#digests.whole(args)}","bytes":${bytes}`;
    if (tight) return `${head}}`;
    if (this.#mode === 'sealed' && bytes <= LIMITS.sealedBytes) {
      return `${head},"sealed":"${seal(text, this.#keys, this.#log)}"}`;
    }
    const drawn = draw(args, this.#mode === 'clear' ? clearLeaf : this.#digests.leaf);
    const name = this.#mode === 'clear' ? 'clear' : 'shape';
    const mark = drawn.left > 0 ? `,"left_out":${drawn.left}` : '';
    return `${head},"${name}":${drawn.json}${mark}}`;
  }

  result(bytes: Uint8Array): string {
    return this.#digests.result(bytes);
  }
}

/** The arguments that a record carries sealed. Throws when the key is another or the text was changed. */
export function unseal(sealed: string, { seal: key }: ArgumentKeys, log: string): unknown {
  const bytes = Buffer.from(sealed, 'base64');
  const open = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
  open.setAAD(Buffer.from(`mcp-audit/v1 args\n${log}`));
  open.setAuthTag(bytes.subarray(-16));
  return JSON.parse(Buffer.concat([open.update(bytes.subarray(12, -16)), open.final()]).toString());
}

function seal(text: string, { seal: key }: ArgumentKeys, log: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
  cipher.setAAD(Buffer.from(`mcp-audit/v1 args\n${log}`));
  return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** JSON with sorted keys. */
export function canonical(value: unknown): string {
  if (value instanceof RawJson) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, one]) => `${JSON.stringify(key)}:${canonical(one)}`).join(',')}}`;
}

type Leaf = string | number | boolean;

function clearLeaf(value: Leaf): Leaf {
  return typeof value === 'string' ? cutText(value, LIMITS.textChars) : value;
}

/** Draws a value with each of its leaves replaced, as far as it fits; `left`: how many parts do not. */
function draw(value: unknown, leaf: (value: Leaf) => Leaf): { json: string; left: number } {
  let left = 0;
  let leaves = 0;
  let room: number = LIMITS.bodyBytes / 2;
  const take = (text: string): string => {
    room -= Buffer.byteLength(text);
    return text;
  };
  const visit = (one: unknown, depth: number): string | undefined => {
    if (one instanceof RawJson) return visit(one.text, depth);
    if (typeof one !== 'object' || one === null) {
      leaves += 1;
      return take(one === null || one === undefined ? 'null' : JSON.stringify(leaf(one as Leaf)));
    }
    if (depth >= LIMITS.shapeDepth) return undefined;
    room -= 2;
    return Array.isArray(one) ? list(one, depth) : members(one as Readonly<Record<string, unknown>>, depth);
  };
  const list = (items: readonly unknown[], depth: number): string =>
    `[${each(items, (item) => visit(item, depth + 1)).join(',')}]`;
  const members = (object: Readonly<Record<string, unknown>>, depth: number): string => {
    const drawn = each(Object.keys(object), (key) => {
      const name = take(`${JSON.stringify(cutText(key, LIMITS.keyChars))}:`);
      const inner = visit(object[key], depth + 1);
      return inner === undefined ? undefined : name + inner;
    });
    return `{${drawn.join(',')}}`;
  };
  const each = <T>(parts: readonly T[], drawOne: (part: T) => string | undefined): string[] => {
    const drawn: string[] = [];
    for (let at = 0; at < parts.length; at += 1) {
      if (leaves >= LIMITS.shapeLeaves || room <= 0) {
        left += parts.length - at;
        break;
      }
      const text = drawOne(parts[at] as T);
      if (text === undefined) left += 1;
      else drawn.push(text);
    }
    return drawn;
  };
  const json = visit(value, 0) ?? 'null';
  return { json: escaped(json), left };
}
