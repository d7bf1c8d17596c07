// The three hashes of a record, over the bytes of its line (without the newline):
//   mac   HMAC-SHA256(key, "mcp-audit/v1\n" ‖ the line up to `,"mac"`)      in the record itself
//   hash  SHA-256(line)                                                     `prev` of the next record, and in receipts
//   leaf  SHA-256(0x00 ‖ line)                                              leaf of the Merkle tree (RFC 6962 2.1)
// A line is copied once into a buffer that has room for what goes before it in each of them; HMAC is put together from its
// two hashes (RFC 2104), because one-shot hashing costs a third of a hash object.

import { createHmac } from 'node:crypto';
import { AUDIT_LIMITS } from './limits.ts';
import { sha256, sha256Hex, sha256Latin1 } from './sha256.ts';

const BLOCK = 64;
const PREFIX = 'mcp-audit/v1\n';
const START = BLOCK + PREFIX.length;

/** A key as HMAC uses it. */
export interface MacKey {
  readonly inner: Uint8Array;
  readonly outer: Uint8Array;
}

export function macKey(key: Uint8Array): MacKey {
  const block = Buffer.alloc(BLOCK);
  block.set(key.length > BLOCK ? sha256(key) : key);
  return { inner: block.map((byte) => byte ^ 0x36), outer: block.map((byte) => byte ^ 0x5c) };
}

export class LineHash {
  readonly #buffer = Buffer.alloc(START + AUDIT_LIMITS.lineBytes + 1);
  readonly #outer = Buffer.alloc(BLOCK + 32);
  #end = START;

  constructor() {
    this.#buffer.write(PREFIX, BLOCK);
  }

  /** The line to be hashed; false if it is longer than any of ours. */
  load(line: Uint8Array): boolean {
    if (line.length > AUDIT_LIMITS.lineBytes) return false;
    this.#buffer.set(line, START);
    this.#end = START + line.length;
    return true;
  }

  loadText(text: string): void {
    this.#end = START;
    this.append(text);
  }

  append(text: string): void {
    this.#end += this.#buffer.write(text, this.#end);
  }

  /** Hex. Of the line without its last `without` bytes. */
  mac(key: MacKey, without = 0): string {
    this.#buffer.set(key.inner);
    this.#outer.set(key.outer);
    this.#outer.write(sha256Latin1(this.#buffer.subarray(0, this.#end - without)), BLOCK, 'latin1');
    return sha256Hex(this.#outer);
  }

  /** Hex. */
  hash(): string {
    return sha256Hex(this.#buffer.subarray(START, this.#end));
  }

  leaf(): Buffer {
    return Buffer.from(this.leafLatin1(), 'latin1');
  }

  leafLatin1(): string {
    const before = START - 1;
    const kept = this.#buffer[before] as number;
    this.#buffer[before] = 0;
    const leaf = sha256Latin1(this.#buffer.subarray(before, this.#end));
    this.#buffer[before] = kept;
    return leaf;
  }

  /** With a newline at its end; only until the next one is loaded. */
  line(): Uint8Array {
    this.#buffer[this.#end] = 0x0a;
    return this.#buffer.subarray(START, this.#end + 1);
  }
}

/** HMACs of short values, all beginning alike: two one-shot hashes, and nothing is made but the result. */
export class ShortMac {
  readonly #secret: Uint8Array;
  readonly #label: string;
  readonly #inner: Buffer;
  readonly #outer = Buffer.alloc(BLOCK + 32);
  readonly #start: number;

  /** `room`: bytes of what counts as short. */
  constructor(secret: Uint8Array, label: string, room = 1024) {
    const { inner, outer } = macKey(secret);
    this.#secret = secret;
    this.#label = label;
    this.#inner = Buffer.alloc(BLOCK + label.length * 3 + room);
    this.#inner.set(inner);
    this.#start = BLOCK + this.#inner.write(label, BLOCK);
    this.#outer.set(outer);
  }

  of(value: string | Uint8Array): Buffer {
    const end = this.#take(value);
    return end === undefined ? hmac(this.#secret, this.#label, value) : sha256(this.#outerOf(end));
  }

  /** Its first 16 bytes in base64url. */
  shortOf(value: string): string {
    const end = this.#take(value);
    if (end === undefined) return hmac(this.#secret, this.#label, value).toString('base64url', 0, 16);
    this.#outer.write(sha256Latin1(this.#outerOf(end)), BLOCK, 'latin1');
    return this.#outer.toString('base64url', BLOCK, BLOCK + 16);
  }

  hexOf(value: string | Uint8Array): string {
    const end = this.#take(value);
    return end === undefined ? hmac(this.#secret, this.#label, value).toString('hex') : sha256Hex(this.#outerOf(end));
  }

  /** Where the value ends in the inner block; undefined: it does not fit. */
  #take(value: string | Uint8Array): number | undefined {
    const room = this.#inner.length - this.#start;
    if (typeof value === 'string') {
      // UTF-8 takes at most three bytes for a unit.
      return value.length * 3 > room ? undefined : this.#start + this.#inner.write(value, this.#start);
    }
    if (value.length > room) return undefined;
    this.#inner.set(value, this.#start);
    return this.#start + value.length;
  }

  #outerOf(end: number): Buffer {
    this.#outer.write(sha256Latin1(this.#inner.subarray(0, end)), BLOCK, 'latin1');
    return this.#outer;
  }
}

/** As the class does it, in one line each: for single values and for whoever wants to compare. */
export function hmac(key: Uint8Array, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}
