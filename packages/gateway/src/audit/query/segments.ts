// The segments of a log as a query sees them: facts of each, which records have a word, and the records themselves, each with
// its MAC checked when it is read. Sealed segments have their index on disk; the one that is written to gets one in memory.

import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { AuditError } from '../errors.ts';
import { diskFiles } from '../files.ts';
import { segmentsIn } from '../folder.ts';
import { Inspector } from '../inspect.ts';
import type { KeyRing } from '../keys.ts';
import { AUDIT_LIMITS } from '../limits.ts';
import { eachLine } from '../lines.ts';
import { readHead, segmentName } from '../record.ts';

import { indexKey, readIndex, type SegmentFacts, writeIndex } from './index-file.ts';
import type { LeafReader } from './leaves.ts';
import { type Postings, PostingsBuilder, readPostings } from './postings.ts';
import { wordsOf } from './question.ts';
import type { AuditRecord } from './record.ts';

export interface LogReading {
  /** Folder of one log. */
  readonly path: string;
  readonly ring: KeyRing;
  readonly leaves: LeafReader;
  /** Told before an index is made, which takes seconds. */
  onIndexing?(segment: string): void;
}

export interface Segment {
  readonly facts: SegmentFacts;
  postings(): Postings;
  /** Record `at` of the segment. Throws `audit_broken` where its MAC is not right, or it is not where it should be. */
  record(at: number): AuditRecord;
  close(): void;
}

const INDEX_FOLDER = 'index';

export async function openSegments(
  reading: LogReading,
): Promise<{ readonly numbers: readonly number[]; open(seg: number): Promise<Segment> }> {
  const numbers = await segmentsIn(reading.path, diskFiles);
  return { numbers, open: (seg) => openSegment(reading, seg) };
}

async function openSegment(reading: LogReading, seg: number): Promise<Segment> {
  const { path, ring } = reading;
  const name = segmentName(seg);
  const file = join(path, name);
  const indexPath = join(path, INDEX_FOLDER, `${name.slice(0, -'.jsonl'.length)}.idx`);
  const end = lastLine(file);
  const secret = end && ring.secretIn(end.kid, seg);
  const stored = secret && end.sealed ? readIndex(indexPath, indexKey(secret)) : undefined;
  let facts: SegmentFacts;
  let postings: Postings | undefined;
  let load: () => Postings | undefined = () => postings;
  if (stored && stored.facts.bytes === end?.bytes && stored.facts.last === end.hash && stored.facts.seg === seg) {
    facts = stored.facts;
    load = stored.postings;
  } else {
    if (end?.sealed) reading.onIndexing?.(name);
    const built = await build(reading, file, seg);
    facts = { ...built.facts, last: end?.hash ?? '', bytes: end?.bytes ?? 0 };
    postings = readPostings(built.body, facts.count, built.words);
    if (secret && end.sealed) writeIndex(indexPath, indexKey(secret), facts, built.words, built.body);
  }
  const reader = recordReader(file, seg, ring);
  const all = (): Postings => {
    postings ??= load();
    if (!postings)
      throw new AuditError('audit_unreadable', `the index ${indexPath} was changed while it was read`, {
        hint: `remove it: ${indexPath}`,
      });
    return postings;
  };
  return {
    facts,
    postings: all,
    record: (at) => reader.read(all().offset(at), all().offset(at + 1), facts.firstSeq + at),
    close: reader.close,
  };
}

/** What a segment ends with; undefined: nothing whole. */
function lastLine(path: string): { bytes: number; hash: string; kid: string; sealed: boolean } | undefined {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, size - 2 * AUDIT_LIMITS.lineBytes);
    const tail = Buffer.alloc(size - from);
    readSync(file, tail, 0, tail.length, from);
    const end = tail.lastIndexOf(0x0a);
    const line = tail.subarray(end < 1 ? 0 : tail.lastIndexOf(0x0a, end - 1) + 1, Math.max(0, end));
    const head = readHead(line);
    return head && { bytes: size, hash: sha256(line), kid: head.kid, sealed: head.type === 'segment.seal' };
  } finally {
    closeSync(file);
  }
}

async function build({ leaves, ring: _ }: LogReading, path: string, seg: number) {
  const builder = new PostingsBuilder();
  const times = { first: Number.POSITIVE_INFINITY, last: Number.NEGATIVE_INFINITY };
  let log = '';
  let firstSeq = 0;
  const file = await diskFiles.openToRead(path);
  try {
    await eachLine(file, 0, ({ bytes, offset, end, terminated }) => {
      const head = terminated ? readHead(bytes) : undefined;
      // What is broken is for `verify`; behind it the numbers of records are no longer those of lines.
      if (!head || (builder.count > 0 && head.seq !== firstSeq + builder.count)) return false;
      if (builder.count === 0) {
        firstSeq = head.seq;
        log = head.log;
      }
      const ms = Date.parse(head.ts);
      times.first = Math.min(times.first, ms);
      times.last = Math.max(times.last, ms);
      builder.add(offset, end, wordsOf(JSON.parse(bytes.toString('utf8')), leaves));
      return true;
    });
  } finally {
    await file.close();
  }
  const facts = { log, seg, firstSeq, count: builder.count, firstMs: times.first, lastMs: times.last };
  return { facts, body: builder.bytes(), words: builder.wordCount };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function recordReader(path: string, seg: number, ring: KeyRing) {
  const inspector = new Inspector(ring);
  const buffer = Buffer.alloc(AUDIT_LIMITS.lineBytes + 1);
  let file: number | undefined;
  return {
    read: (offset: number, end: number, seq: number): AuditRecord => {
      file ??= openSync(path, 'r');
      const length = Math.min(end - offset, buffer.length);
      const line = buffer.subarray(0, Math.max(0, readSync(file, buffer, 0, length, offset) - 1));
      const seen = inspector.inspect(line, seg);
      if (seen.is === 'unknown-key') {
        throw new AuditError(
          'audit_key_unknown',
          `record ${seq} was written under a key that was not given (${seen.head.kid})`,
        );
      }
      if (seen.is !== 'record' || seen.head.seq !== seq || seen.head.seg !== seg) {
        const text = `record ${seq} of ${path} is not as it was written`;
        throw new AuditError('audit_broken', text, { hint: 'mcp-gateway audit verify says what happened to the log' });
      }
      return JSON.parse(line.toString('utf8')) as AuditRecord;
    },
    close: () => {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}
