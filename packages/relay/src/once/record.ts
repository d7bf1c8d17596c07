// One line of a ledger file, and how a file is read back whatever became of it. A line is
//   kind SP key SP time SP digest SP length SP payload-checksum SP head-checksum SP payload SP key LF
// with the key at both ends, so that damage in one place leaves it readable (a key that is read nowhere cannot be refused).
// Invariant: a line that is not whole counts as no record, and never takes a whole one with it.

import { crc32 } from 'node:zlib';
import { type CallKey, hex, keysIn } from './key.ts';

/** s: started · o: its outcome · u: how it ended will not be known · x: it was not run after all · f: numbers up to this one
 *  are not kept any more · e: the session ended, with this as its highest number. */
export type RecordKind = 's' | 'o' | 'u' | 'x' | 'f' | 'e';

export interface LedgerRecord {
  readonly kind: RecordKind;
  readonly session: string;
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Of what was asked, to notice another call under the same key. */
  readonly digest: number;
  /** Where the payload lies in the file. */
  readonly from: number;
  readonly length: number;
  readonly checksum: number;
}

export interface Readable {
  readonly size: number;
  read(at: number, length: number): Buffer;
}

export interface RecordReader {
  record(record: LedgerRecord): void;
  /** A line that is no record; the keys that could be read in it. */
  damaged(keys: readonly CallKey[]): void;
}

const NONE = Buffer.alloc(0);
const HEAD_BYTES = 160;
/** All but the payload, at most. */
export const LINE_BYTES = 256;
const WINDOW_BYTES = 256 * 1024;
/** Of a damaged line, at either end. */
const LOOK_BYTES = 4096;
const LINE_FEED = 0x0a;
const FIRST_LINE = /^mcp-once\/1 ([0-9]+) (\S+)\n/;
export interface Written {
  readonly bytes: Buffer;
  /** Where the payload begins in them. */
  readonly from: number;
  readonly checksum: number;
}

/** `scratch`: what the line is written into if it has room there, so that most lines cost no memory. */
export function writeRecord(
  scratch: Buffer,
  kind: RecordKind,
  key: CallKey,
  at: number,
  digest = 0,
  payload: Buffer = NONE,
): Written {
  const checksum = payload.length === 0 ? 0 : signed(crc32(payload));
  const head = `${kind} ${key.text} ${at} ${hex(digest)} ${payload.length} ${hex(checksum)} `;
  const from = head.length + 9;
  const length = from + payload.length + key.text.length + 2;
  const bytes = length <= scratch.length ? scratch.subarray(0, length) : Buffer.allocUnsafe(length);
  bytes.write(`${head}${hex(crc32(head))} `, 0, 'latin1');
  payload.copy(bytes, from);
  bytes.write(` ${key.text}\n`, from + payload.length, 'latin1');
  return { bytes, from, checksum };
}

/** As a small number of V8: an index of many would else hold as many objects again. */
export function signed(checksum: number): number {
  return checksum | 0;
}

/** The first line of a file: who writes it. `start` tells two processes of one number apart. */
export function firstLine(pid: number, start: string): Buffer {
  return Buffer.from(`mcp-once/1 ${pid} ${start}\n`);
}

export function writerOf(file: Readable): { readonly pid: number; readonly start: string } | undefined {
  const [, pid, start] = FIRST_LINE.exec(file.read(0, HEAD_BYTES).toString('latin1')) ?? [];
  return pid === undefined || start === undefined ? undefined : { pid: Number(pid), start };
}

/** Tells every record from `from` on; returns where the next one will begin. What is not whole at the end was never begun:
 *  its writer had not come back from writing. */
export function readRecords(source: Readable, from: number, reader: RecordReader): number {
  // It may grow while it is read.
  const file: Readable = { size: source.size, read: (at, length) => source.read(at, length) };
  const look = windowOf(file);
  let at = from === 0 ? (FIRST_LINE.exec(look(0, HEAD_BYTES).toString('latin1'))?.[0].length ?? 0) : from;
  while (at < file.size) {
    const record = headAt(at, look(at, HEAD_BYTES).toString('latin1'));
    if (record !== undefined) {
      const end = record.from + record.length + record.keyLength + 2;
      if (end > file.size) return at;
      reader.record(record);
      at = end;
      continue;
    }
    const end = lineEnd(file, at);
    if (end === undefined) return at;
    // A first line that nobody can read says nothing of any call.
    const keys = keysAt(file, at, end);
    if (at > 0 || keys.length > 0) reader.damaged(keys);
    at = end;
  }
  return at;
}

/** undefined: no head begins there. A sum over all of it is enough: who wrote one wrote the other. */
function headAt(at: number, text: string): (LedgerRecord & { readonly keyLength: number }) | undefined {
  const keyEnd = text.indexOf(' ', 2);
  const timeEnd = text.indexOf(' ', keyEnd + 1);
  const lengthEnd = text.indexOf(' ', timeEnd + 10);
  // Behind the payload's sum, and behind our own.
  const sumEnd = lengthEnd + 10;
  const end = sumEnd + 9;
  if (keyEnd < 44 || lengthEnd < 0 || end > text.length) return undefined;
  if (Number.parseInt(text.slice(sumEnd, end - 1), 16) !== crc32(text.slice(0, sumEnd))) return undefined;
  return {
    kind: text.charAt(0) as RecordKind,
    session: text.slice(2, 34),
    number: Number(text.slice(35, keyEnd - 9)),
    at: Number(text.slice(keyEnd + 1, timeEnd)),
    digest: Number.parseInt(text.slice(timeEnd + 1, timeEnd + 9), 16) | 0,
    from: at + end,
    length: Number(text.slice(timeEnd + 10, lengthEnd)),
    checksum: Number.parseInt(text.slice(lengthEnd + 1, sumEnd - 1), 16) | 0,
    keyLength: keyEnd - 2,
  };
}

function windowOf(file: Readable): (at: number, length: number) => Buffer {
  let base = 0;
  let window: Buffer = NONE;
  return (at, length) => {
    const end = Math.min(at + length, file.size);
    if (at < base || end > base + window.length) {
      base = at;
      window = file.read(at, Math.max(length, WINDOW_BYTES));
    }
    return window.subarray(at - base, end - base);
  };
}

function lineEnd(file: Readable, from: number): number | undefined {
  for (let at = from; at < file.size; at += WINDOW_BYTES) {
    const found = file.read(at, WINDOW_BYTES).indexOf(LINE_FEED);
    if (found >= 0) return at + found + 1;
  }
  return undefined;
}

function keysAt(file: Readable, from: number, end: number): CallKey[] {
  const first = file.read(from, Math.min(LOOK_BYTES, end - from));
  const last = end - from <= LOOK_BYTES ? NONE : file.read(Math.max(from, end - LOOK_BYTES), LOOK_BYTES);
  return [...keysIn(first.toString('latin1')), ...keysIn(last.toString('latin1'))];
}
