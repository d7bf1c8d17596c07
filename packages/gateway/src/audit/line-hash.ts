// The three hashes of a record, over the bytes of its line (without the newline):
//   mac   HMAC-SHA256(key, "mcp-audit/v1\n" ‖ the line up to `,"mac"`)      in the record itself
//   hash  SHA-256(line)                                                     `prev` of the next record, and in receipts
//   leaf  SHA-256(0x00 ‖ line)                                              leaf of the Merkle tree (RFC 6962 2.1)
// A line is copied once into a buffer that has room for what goes before it in each of them; HMAC is put together from its
// two hashes (RFC 2104), because one-shot hashing costs a third of a hash object.

import { createHash, createHmac, hash as hashOnce } from 'node:crypto';
import { AUDIT_LIMITS } from './limits.ts';

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
  block.set(key.length > BLOCK ? createHash('sha256').update(key).digest() : key);
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
    this.#outer.set(hashOnce('sha256', this.#buffer.subarray(0, this.#end - without), 'buffer'), BLOCK);
    return hashOnce('sha256', this.#outer, 'hex');
  }

  /** Hex. */
  hash(): string {
    return hashOnce('sha256', this.#buffer.subarray(START, this.#end), 'hex');
  }

  leaf(): Buffer {
    const before = START - 1;
    const kept = this.#buffer[before] as number;
    this.#buffer[before] = 0;
    const leaf = hashOnce('sha256', this.#buffer.subarray(before, this.#end), 'buffer');
    this.#buffer[before] = kept;
    return leaf;
  }

  /** A copy, newline at its end. */
  line(): Buffer {
    const line = Buffer.allocUnsafe(this.#end - START + 1);
    line.set(this.#buffer.subarray(START, this.#end));
    line[line.length - 1] = 0x0a;
    return line;
  }
}

/** HMACs of short texts, all beginning alike: two one-shot hashes, and nothing is made but the result. */
export class ShortMac {
  readonly #secret: Uint8Array;
  readonly #label: string;
  readonly #inner: Buffer;
  readonly #outer = Buffer.alloc(BLOCK + 32);
  readonly #start: number;

  constructor(secret: Uint8Array, label: string) {
    const { inner, outer } = macKey(secret);
    this.#secret = secret;
    this.#label = label;
    this.#inner = Buffer.alloc(1024);
    this.#inner.set(inner);
    this.#start = BLOCK + this.#inner.write(label, BLOCK);
    this.#outer.set(outer);
  }

  of(text: string): Buffer {
    // UTF-8 takes at most three bytes for a unit.
    if (text.length * 3 > this.#inner.length - this.#start) return hmac(this.#secret, this.#label, text);
    const end = this.#start + this.#inner.write(text, this.#start);
    this.#outer.set(hashOnce('sha256', this.#inner.subarray(0, end), 'buffer'), BLOCK);
    return hashOnce('sha256', this.#outer, 'buffer');
  }
}

/** As the class does it, in one line each: for single values and for whoever wants to compare. */
export function hmac(key: Uint8Array, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}
