// Opens the log of a gateway: takes it, looks at how it was left, sets a torn end aside, goes on with the key of today, and
// says on record that it was opened.

import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { AuditEvent, AuditLog, AuditReceipt, AuditState } from './audit-log.ts';
import { Ballast } from './ballast.ts';
import { Chain, type ChainState } from './chain.ts';
import { refuseShortened, writeCheckpoint } from './checkpoints.ts';
import { type ChosenLog, chooseLog, markReplaced, newLog } from './choose-log.ts';
import { type AuditClock, systemClock } from './clock.ts';
import { Committer } from './committer.ts';
import { AuditError } from './errors.ts';
import { eventBody, member } from './event-body.ts';
import { type AuditFile, type AuditFiles, diskFiles } from './files.ts';
import { checkKey, KeyRing } from './keys.ts';
import { AUDIT_LIMITS as LIMITS } from './limits.ts';
import { verifierKey } from './note.ts';
import { addPublicKeys } from './public-keys.ts';
import { segmentName } from './record.ts';
import { type Recovered, recover } from './recover.ts';
import { type ArgumentsMode, Redactor } from './redact.ts';
import { scanSegment } from './scan.ts';
import { Segment } from './segment.ts';
import { holdEvolved, logKeys } from './todays-key.ts';
import { type Durability, type OnFailure, Writer, type WriterOptions } from './writer.ts';

export interface AuditLogOptions {
  /** Holds a folder for each log. Made if absent. */
  readonly base: string;
  /** 32 bytes or more. */
  readonly key: Uint8Array;
  /** Those that were in use before. */
  readonly oldKeys?: readonly Uint8Array[];
  readonly durability?: Durability;
  readonly intervalMs?: number;
  readonly arguments?: ArgumentsMode;
  readonly onFailure?: OnFailure;
  readonly rotate?: { readonly bytes?: number; readonly ms?: number };
  /** The key of records changes with each segment; `key` is for arguments only. */
  readonly forwardSecure?: boolean;
  readonly checkpoint?: { readonly key: KeyObject; readonly everyMs?: number };
  /** A broken log is left as it is and another begun. */
  readonly acceptBroken?: boolean;
  /** Of the program, for the record. */
  readonly by?: string;
  readonly files?: AuditFiles;
  readonly clock?: AuditClock;
  /** Told when it cannot be written, and when it can again (undefined). */
  onTrouble?(trouble: string | undefined): void;
}

/** Rejects with an AuditError when the log cannot be gone on with, or not be written. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { base, files = diskFiles, clock = systemClock(), oldKeys = [] } = options;
  const key = checkKey(options.key, 'the audit key');
  const keys = [key, ...oldKeys.map((old) => checkKey(old, 'an old audit key'))];
  const ring = new KeyRing(keys);
  const opening = { ...options, key, files, clock, ring };
  const chosen = await chooseLog(base, keys, files);
  try {
    return await begin(chosen, opening);
  } catch (error) {
    await chosen.lock[Symbol.asyncDispose]();
    if (options.acceptBroken !== true || !(error instanceof AuditError) || error.code !== 'audit_broken') throw error;
  }
  const other = await newLog(base, files);
  try {
    const log = await begin(other, { ...opening, replaces: chosen.id });
    await markReplaced(chosen.folder, { id: chosen.id, by: other.id, key }, files);
    return log;
  } catch (error) {
    await other.lock[Symbol.asyncDispose]();
    throw error;
  }
}

interface Opening extends AuditLogOptions {
  readonly files: AuditFiles;
  readonly clock: AuditClock;
  readonly ring: KeyRing;
  /** A broken log. */
  readonly replaces?: string;
}

async function begin({ id, folder, lock }: ChosenLog, o: Opening): Promise<AuditLog> {
  const { base, files, clock, ring, key, durability = 'os', forwardSecure = false } = o;
  const keyOptions = { base, folder, files, ring, key, forwardSecure };
  const evolved = await holdEvolved(keyOptions);
  const left = await recover({ folder, log: id, ring, files, wall: clock.wall, evolved });
  const place = { log: id, folder, files };
  if (o.checkpoint) await refuseShortened(place, left.state, o.checkpoint.key);
  const keys = await logKeys(keyOptions, evolved, left.kid);
  const { today, before } = keys;
  const chain = new Chain(id, clock.boot, left.state);
  const holds = async (file: AuditFile, state: ChainState): Promise<boolean> => {
    const read = await scanSegment(file, { log: id, seg: state.seg, ring });
    return 'state' in read && read.state.hash === state.hash && read.torn === 0;
  };
  const committer = new Committer({
    folder,
    files,
    chain,
    clock,
    keys: before ?? today,
    rotate: {
      bytes: o.rotate?.bytes ?? LIMITS.rotateBytes,
      ms: o.rotate?.ms ?? (forwardSecure ? LIMITS.evolveMs : LIMITS.rotateMs),
    },
    holds,
    segment: await goOn(folder, left, o, holds),
  });
  const writer = new Writer({
    committer,
    ballast: new Ballast(folder, files, LIMITS.ballastBytes),
    durability,
    intervalMs: o.intervalMs ?? LIMITS.intervalMs,
    onFailure: o.onFailure ?? 'deny',
    wall: clock.wall,
    ...(o.onTrouble === undefined ? {} : { onTrouble: o.onTrouble }),
    ...checkpointing(o, place, chain),
  });
  try {
    for (const torn of left.torn) await writer.append('log.recovered', tornBody(torn));
    if (before !== undefined) {
      // In a segment of its own: both keys must be what they are in it.
      await writer.rotate();
      const state = chain.state();
      await before.readyFor(state.seg + 1, state);
      await today.readyFor(state.seg + 1, state);
      await writer.append('key.rotate', (seq) => member('to', today.kid) + member('commit', today.commitment(id, seq)));
      committer.useKeys(today);
      await writer.rotate();
    }
    await writer.append('log.open', openBody(o, durability));
    await keys.forgetOthers();
    const checkpoints = o.checkpoint ? [verifierKey(id, o.checkpoint.key)] : [];
    await addPublicKeys(folder, { log: id, keys: [...(before ? [before.kid] : []), today.kid], checkpoints }, files);
  } catch (error) {
    await writer.close().catch(() => {});
    throw error;
  }
  return new OpenLog(id, folder, durability, writer, new Redactor(o.arguments ?? 'digest', today.args, id), lock);
}

function checkpointing(
  { checkpoint }: Opening,
  place: Parameters<typeof writeCheckpoint>[0],
  chain: Chain,
): Pick<WriterOptions, 'checkpoint'> {
  if (checkpoint === undefined) return {};
  const { key, everyMs = LIMITS.checkpointMs } = checkpoint;
  return { checkpoint: { everyMs, write: () => writeCheckpoint(place, chain.state(), key) } };
}

/** The last segment, if it is not sealed. */
async function goOn(
  folder: string,
  { open, state }: Recovered,
  { files, clock }: Opening,
  holds: (file: AuditFile, state: ChainState) => Promise<boolean>,
): Promise<Segment | undefined> {
  if (open === undefined) return undefined;
  const path = join(folder, segmentName(state.seg));
  const file = await files.open(path);
  const { first, last, count, bytes } = open;
  const openedAt = first.boot === clock.boot ? first.mono : clock.mono();
  const fill = { count, bytes, first: { seq: first.seq, ts: first.ts }, last: { seq: last.seq, ts: last.ts } };
  return new Segment(file, { folder, path, files, holds }, openedAt, fill, state);
}

function openBody({ by, arguments: mode = 'digest', replaces }: Opening, durability: Durability): string {
  const replaced = member('replaces', replaces);
  return `${member('by', by)}${member('pid', process.pid)}${member('durability', durability)}${member('arguments', mode)}${replaced}`;
}

function tornBody({ bytes, sha256, kept }: Recovered['torn'][number]): string {
  return member('bytes', bytes) + member('sha256', sha256) + member('kept', kept);
}

class OpenLog implements AuditLog {
  readonly id: string;
  readonly #folder: string;
  readonly #durability: Durability;
  readonly #writer: Writer;
  readonly #redactor: Redactor;
  readonly #lock: AsyncDisposable;

  constructor(
    id: string,
    folder: string,
    durability: Durability,
    writer: Writer,
    redactor: Redactor,
    lock: AsyncDisposable,
  ) {
    this.id = id;
    this.#folder = folder;
    this.#durability = durability;
    this.#writer = writer;
    this.#redactor = redactor;
    this.#lock = lock;
  }

  append(event: AuditEvent): Promise<AuditReceipt | undefined> {
    return this.#writer.append(event.type, eventBody(event, this.#redactor));
  }

  state(): AuditState {
    const { head, trouble } = this.#writer;
    return {
      head,
      path: this.#folder,
      durability: this.#durability,
      ...(trouble === undefined ? {} : { trouble }),
    };
  }

  async close(): Promise<void> {
    try {
      await this.#writer.close();
    } finally {
      await this.#lock[Symbol.asyncDispose]();
    }
  }
}
