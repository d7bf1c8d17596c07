// The records of a log one after the other, each authenticated and following the one before it: what is exported or
// replayed was written by the gateway, and nothing is missing in between. Constant memory.

import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { AuditError } from '../errors.ts';
import { type AuditFile, diskFiles } from '../files.ts';
import { segmentsIn } from '../folder.ts';
import { Inspector } from '../inspect.ts';
import type { KeyRing } from '../keys.ts';
import { eachLine } from '../lines.ts';
import { readHead, segmentName } from '../record.ts';
import type { AuditRecord } from './record.ts';

export interface RecordsOptions {
  readonly path: string;
  readonly ring: KeyRing;
  readonly sinceMs?: number;
  readonly untilMs?: number;
}

export interface ReadRecord {
  readonly record: AuditRecord;
  /** As it stands in the log. */
  readonly line: string;
  /** SHA-256 of the line, as receipts have it. */
  readonly hash: string;
}

/** Where reading goes on: behind the last record that was read. */
export interface Place {
  seg: number;
  offset: number;
  seq: number;
  hash: string;
}

/** Read at once, between two waits. */
const BATCH = 2000;

export async function* records(o: RecordsOptions): AsyncGenerator<ReadRecord> {
  const { path, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = o;
  const numbers = await segmentsIn(path, diskFiles);
  const place: Place = { seg: firstOf(path, numbers, sinceMs), offset: 0, seq: 0, hash: '' };
  for await (const read of readOn(o, place, numbers)) {
    const ms = Date.parse(String(read.record.ts));
    if (ms >= sinceMs && ms <= untilMs) yield read;
  }
}

/** From a place to the end of what is there now; moves the place along. */
export async function* readOn(
  { path, ring }: Pick<RecordsOptions, 'path' | 'ring'>,
  place: Place,
  numbers: readonly number[],
): AsyncGenerator<ReadRecord> {
  const inspector = new Inspector(ring);
  for (const seg of numbers) {
    if (seg < place.seg) continue;
    if (seg > place.seg) Object.assign(place, { seg, offset: 0 });
    const file = await diskFiles.openToRead(join(path, segmentName(seg)));
    try {
      for (;;) {
        const batch = await readBatch(file, place, inspector);
        yield* batch;
        if (batch.length < BATCH) break;
      }
    } finally {
      await file.close();
    }
  }
}

async function readBatch(file: AuditFile, place: Place, inspector: Inspector): Promise<ReadRecord[]> {
  const batch: ReadRecord[] = [];
  await eachLine(file, place.offset, ({ bytes, end, terminated }) => {
    // A record that is being written, or was cut by a crash.
    if (!terminated) return false;
    const seen = inspector.inspect(bytes, place.seg);
    const at = place.seq === 0 ? `at byte ${place.offset} of segment ${place.seg}` : `after record ${place.seq}`;
    if (seen.is === 'unknown-key') {
      throw new AuditError(
        'audit_key_unknown',
        `the record ${at} is under a key that was not given (${seen.head.kid})`,
      );
    }
    const { seq, seg } = seen.is === 'record' ? seen.head : { seq: 0, seg: 0 };
    const follows = place.seq === 0 || (seq === place.seq + 1 && seen.is === 'record' && seen.tail.prev === place.hash);
    if (seen.is !== 'record' || seg !== place.seg || !follows) {
      throw new AuditError('audit_broken', `the log is not as it was written ${at}`, {
        hint: 'mcp-gateway audit verify says what happened to it',
      });
    }
    const line = bytes.toString('utf8');
    const hash = inspector.hash();
    Object.assign(place, { offset: end, seq, hash });
    batch.push({ record: JSON.parse(line) as AuditRecord, line, hash });
    return batch.length < BATCH;
  });
  return batch;
}

/** The last segment that begins before; the clock may have been set back, so one more. */
function firstOf(path: string, numbers: readonly number[], sinceMs: number): number {
  const later = numbers.findIndex((seg) => beginOf(join(path, segmentName(seg))) > sinceMs);
  const at = later < 0 ? numbers.length : later;
  return numbers[Math.max(0, at - 2)] ?? 0;
}

function beginOf(path: string): number {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(512);
    const head = readHead(bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0)));
    return head ? Date.parse(head.ts) : Number.NEGATIVE_INFINITY;
  } finally {
    closeSync(file);
  }
}
