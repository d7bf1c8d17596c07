// `audit verify`: one log from its first record to its last, or from a segment on, in constant memory. It may be written
// meanwhile: what was there when it began is checked, and the record that is being written is no torn end.

import { join } from 'node:path';
import { CHECKPOINT_FILE, readCheckpoint } from '../checkpoints.ts';
import { AuditError, systemCode } from '../errors.ts';
import type { AuditFiles } from '../files.ts';
import { segmentsIn } from '../folder.ts';
import type { KeyRing } from '../keys.ts';
import { eachLine } from '../lines.ts';
import { hasWriter } from '../lock.ts';
import { isSignedBy, parseCheckpoint } from '../note.ts';
import { readHead, segmentName } from '../record.ts';
import { type Anchor, checkpointAnchor } from './anchors.ts';
import { Walk, type Walked } from './walk.ts';

export interface VerifyOptions {
  /** Of one log. */
  readonly folder: string;
  readonly log: string;
  readonly ring: KeyRing;
  readonly files: AuditFiles;
  readonly anchors?: readonly Anchor[];
  /** Public keys that its checkpoints are signed with. */
  readonly checkpointKeys?: readonly string[];
  /** Begins with the segment that this record is in. */
  readonly from?: number;
}

export type Status = 'ok' | 'tampered' | 'torn' | 'unverifiable';

export interface Verdict extends Walked {
  readonly status: Status;
  readonly log: string;
  readonly folder: string;
  readonly segments: number;
  /** Somebody writes it now. */
  readonly live: boolean;
}

/** Rejects `audit_unreadable` when there is nothing, or it cannot be read. */
export async function verifyLog(options: VerifyOptions): Promise<Verdict> {
  const { folder, log, ring, files } = options;
  try {
    const listed = await segmentsIn(folder, files);
    const begin = await firstSegment(listed, options);
    // Before anything is read: what the log says of itself now it must still say then.
    const own = await ownCheckpoint(options);
    const given = (options.anchors ?? []).filter((anchor) => anchor.log === undefined || anchor.log === log);
    const anchors = [...given, ...own].filter(({ seq }) => seq >= begin.seq);
    const walk = new Walk({ log, ring, anchors, fromSegment: options.from !== undefined });
    let segments = 0;
    for (let seg: number | undefined = begin.seg; seg !== undefined; segments += 1) {
      // Listed before it is read: if there is a later one, this one is complete.
      const all = await segmentsIn(folder, files);
      await readSegment(walk, seg, all.at(-1) ?? seg, options);
      const here: number = seg;
      seg = all.find((one) => one > here);
    }
    const live = await hasWriter(folder, files);
    return { ...walked(walk.end(), live), log, folder, segments, live };
  } catch (error) {
    if (error instanceof AuditError) throw error;
    throw unreadable(folder, systemCode(error), error);
  }
}

function walked(found: Walked, live: boolean): Walked & { readonly status: Status } {
  if (found.first) return { ...found, status: 'tampered' };
  if (found.unverifiable) return { ...found, status: 'unverifiable' };
  return { ...found, status: found.torn && !live ? 'torn' : 'ok' };
}

async function readSegment(walk: Walk, seg: number, lastSeg: number, { folder, files }: VerifyOptions): Promise<void> {
  const file = await files.openToRead(join(folder, segmentName(seg)));
  walk.beginFile(seg);
  try {
    await eachLine(file, 0, (line) => {
      walk.take(line, lastSeg);
      return true;
    });
  } finally {
    await file.close();
  }
}

/** Where to begin, and the record it begins with. */
async function firstSegment(
  segments: readonly number[],
  { folder, files, from }: VerifyOptions,
): Promise<{ readonly seg: number; readonly seq: number }> {
  const [first] = segments;
  if (first === undefined) throw unreadable(folder, 'there is no log in it');
  if (from === undefined) return { seg: first, seq: 1 };
  for (const seg of [...segments].reverse()) {
    const seq = await firstSeq(join(folder, segmentName(seg)), files);
    if (seq <= from) return { seg, seq };
  }
  throw unreadable(folder, `record ${from} is not in it`);
}

async function firstSeq(path: string, files: AuditFiles): Promise<number> {
  const file = await files.openToRead(path);
  let seq = Number.POSITIVE_INFINITY;
  try {
    await eachLine(file, 0, ({ bytes }) => {
      seq = readHead(bytes)?.seq ?? seq;
      return false;
    });
  } finally {
    await file.close();
  }
  return seq;
}

/** The log's own checkpoint is one more anchor, if it is signed by whom it should be. */
async function ownCheckpoint({ folder, files, log, checkpointKeys = [] }: VerifyOptions): Promise<Anchor[]> {
  const note = (await readCheckpoint(folder, files)) ?? '';
  const checkpoint = parseCheckpoint(note);
  if (checkpoint?.log !== log || !isSignedBy(note, checkpointKeys)) return [];
  return [checkpointAnchor(checkpoint, join(folder, CHECKPOINT_FILE))];
}

function unreadable(folder: string, why: string, cause?: unknown): AuditError {
  return new AuditError('audit_unreadable', `${folder} cannot be checked: ${why}`, { cause });
}
