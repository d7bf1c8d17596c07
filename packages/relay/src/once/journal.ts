// The writing end of a ledger: a line is written or it is not, and as safe on the disk as is asked for. What a line means is
// not known here. Above: ./ledger.ts; below: ./shelf.ts.

import { RelayError } from '../errors.ts';
import type { Entry } from './book.ts';
import type { LedgerFile, LedgerFiles } from './files.ts';
import { GroupCommit } from './group-commit.ts';
import type { CallKey } from './key.ts';
import { LINE_BYTES, type RecordKind, type Written, writeRecord } from './record.ts';
import type { Shelf, Volume } from './shelf.ts';

export type Place = Pick<Entry<Volume>, 'file' | 'from' | 'length' | 'checksum'>;

/** Most lines are shorter. */
const SCRATCH_BYTES = 32 * 1024;

export interface JournalOptions {
  readonly folder: string;
  readonly files: LedgerFiles;
  readonly shelf: Shelf;
  /** Lines wait for the disk. */
  readonly commits: boolean;
  readonly wall: () => number;
  /** Another file has begun. */
  onTurn(): void;
  /** Told when it begins and when it is over (undefined). */
  onTrouble?: ((trouble: string | undefined) => void) | undefined;
}

export class Journal {
  readonly #o: JournalOptions;
  readonly #commit = new GroupCommit(() => this.#sync());
  /** With lines that may not be on the disk yet. */
  readonly #dirty = new Set<Volume>();
  /** Lines are written before the next one is made. */
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES);
  #trouble: string | undefined;
  #closed = false;

  constructor(options: JournalOptions) {
    this.#o = options;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Throws `ledger_unwritable`: nothing of it is written then. */
  append(kind: RecordKind, key: CallKey, digest?: number, payload?: Buffer): Place {
    const { shelf, commits, wall } = this.#o;
    const at = wall();
    let volume: Volume;
    let written: Written;
    try {
      if (this.#closed) throw new Error('it is closed');
      const length = (payload?.length ?? 0) + LINE_BYTES;
      let current = shelf.current(length);
      if (current.fresh) {
        this.#o.onTurn();
        // What that wrote may have filled it, and closed it.
        current = shelf.current(length);
      }
      volume = current.volume;
      // Not before: what a turn writes goes through the same scratch.
      written = writeRecord(this.#scratch, kind, key, at, digest, payload);
      write(volume, current.file, written.bytes);
    } catch (error) {
      throw this.troubled(error);
    }
    const { bytes, from, checksum } = written;
    if (this.#trouble !== undefined) {
      this.#trouble = undefined;
      this.#o.onTrouble?.(undefined);
    }
    const place = { file: volume, from: volume.bytes + from, length: payload?.length ?? 0, checksum };
    volume.bytes += bytes.length;
    volume.lastAt = at;
    if (commits) this.#dirty.add(volume);
    return place;
  }

  /** Resolves when what was written in this file before is on the disk. */
  async safely(volume: Volume): Promise<void> {
    try {
      await this.#commit.done();
    } catch (error) {
      // What the disk has of it is not known.
      volume.hurt = true;
      throw error;
    }
  }

  /** Resolves when nobody waits for the disk. */
  idle(): Promise<void> {
    return this.#commit.idle();
  }

  troubled(error: unknown): RelayError {
    const { code = 'it failed' } = error as { code?: string };
    const { wall, onTrouble } = this.#o;
    const news = this.#trouble === undefined;
    this.#trouble ??= `it cannot be written since ${new Date(wall()).toISOString()} (${code})`;
    if (news) onTrouble?.(this.#trouble);
    return new RelayError('ledger_unwritable', `the ledger of calls cannot be written (${code})`, {
      hint: 'make room, or mend the disk; it goes on by itself then',
      cause: error,
    });
  }

  /** Files that are full are closed, once they are as safe as they have to be. */
  retire(): void {
    const { shelf } = this.#o;
    for (const volume of shelf.volumes) {
      if (volume.other !== undefined || shelf.isCurrent(volume) || this.#dirty.has(volume)) continue;
      volume.file?.close();
      volume.file = undefined;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#commit.idle();
    if (this.#o.commits) await this.#sync().catch(() => {});
  }

  async #sync(): Promise<void> {
    const { files, folder } = this.#o;
    const volumes = [...this.#dirty];
    this.#dirty.clear();
    const fresh = volumes.filter(({ named }) => !named);
    await Promise.all(volumes.map(({ file }) => file?.sync()));
    if (fresh.length > 0) await files.syncFolder(folder);
    for (const volume of fresh) volume.named = true;
    this.retire();
  }
}

function write(volume: Volume, file: LedgerFile, bytes: Buffer): void {
  try {
    file.write(bytes, volume.bytes);
  } catch (error) {
    try {
      file.truncate(volume.bytes);
    } catch {
      volume.hurt = true;
    }
    throw error;
  }
}
