// An index on disk, beside the segment it is of: a cache, never evidence. It is under a MAC of the log's key and tied to the
// segment's size and last line, so that nobody hides a record from a query by writing another index; what does not fit is
// made anew. What it finds is read in the log, and its MAC checked there.
//   "mcp-audit index 1\n" ‖ header (JSON, one line) ‖ HMAC-SHA256 of both ("\n" after it, hex) ‖ postings

import { createHash, timingSafeEqual } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { hmac } from '../line-hash.ts';
import { type Postings, readPostings } from './postings.ts';

export interface SegmentFacts {
  readonly log: string;
  readonly seg: number;
  /** Size of the segment, and SHA-256 of its last line. */
  readonly bytes: number;
  readonly last: string;
  readonly firstSeq: number;
  readonly count: number;
  /** By the wall clock, which may have jumped. */
  readonly firstMs: number;
  readonly lastMs: number;
}

interface Header extends SegmentFacts {
  readonly words: number;
  /** SHA-256 of the postings. */
  readonly digest: string;
}

const MAGIC = 'mcp-audit index 1\n';
const MAC_CHARS = 64;
/** A header has about 350. */
const HEADER_BYTES = 4096;

/** The facts at once, what it finds when it is asked for; undefined: there is none that can be used. */
export interface StoredIndex {
  readonly facts: SegmentFacts;
  /** undefined: it was changed. */
  postings(): Postings | undefined;
}

export function readIndex(path: string, key: Uint8Array): StoredIndex | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const head = Buffer.alloc(HEADER_BYTES);
    const text = head.toString('utf8', 0, readSync(file, head, 0, HEADER_BYTES, 0));
    const headerEnd = text.indexOf('\n', MAGIC.length) + 1;
    const macEnd = headerEnd + MAC_CHARS + 1;
    if (!text.startsWith(MAGIC) || headerEnd === 0 || text.length < macEnd) return undefined;
    const signed = text.slice(0, headerEnd);
    if (!isMac(text.slice(headerEnd, macEnd - 1), macOf(signed, key))) return undefined;
    const header = JSON.parse(signed.slice(MAGIC.length)) as Header;
    return { facts: header, postings: () => readBody(path, Buffer.byteLength(text.slice(0, macEnd)), header) };
  } finally {
    closeSync(file);
  }
}

/** Whether it could be kept; without, the next query makes it again. */
export function writeIndex(path: string, key: Uint8Array, facts: SegmentFacts, words: number, body: Buffer): boolean {
  const { log, seg, bytes, last, firstSeq, count, firstMs, lastMs } = facts;
  const digest = sha256(body);
  const header = { log, seg, bytes, last, firstSeq, count, firstMs, lastMs, words, digest } satisfies Header;
  const signed = `${MAGIC}${JSON.stringify(header)}\n`;
  const draft = `${path}.draft-${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(draft, Buffer.concat([Buffer.from(`${signed}${macOf(signed, key)}\n`), body]), {
      mode: 0o600,
      flag: 'wx',
    });
    renameSync(draft, path);
    return true;
  } catch {
    rmSync(draft, { force: true });
    return false;
  }
}

/** From the key of the log; another one than that of its records. */
export function indexKey(secret: Uint8Array): Uint8Array {
  return hmac(secret, 'mcp-audit/v1 index');
}

function readBody(path: string, from: number, { count, words, digest }: Header): Postings | undefined {
  const file = openSync(path, 'r');
  try {
    const body = Buffer.allocUnsafe(Math.max(0, fstatSync(file).size - from));
    for (let read = 0; read < body.length; ) {
      const more = readSync(file, body, read, body.length - read, from + read);
      if (more === 0) return undefined;
      read += more;
    }
    return sha256(body) === digest ? readPostings(body, count, words) : undefined;
  } finally {
    closeSync(file);
  }
}

function macOf(signed: string, key: Uint8Array): string {
  return hmac(key, signed).toString('hex');
}

function isMac(given: string, right: string): boolean {
  return given.length === right.length && timingSafeEqual(Buffer.from(given), Buffer.from(right));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
