// The file that records are added to. What was written counts once it is accepted; after a failure the file is mended before
// anything else is written: cut back to what was accepted, or, after a failed fsync, made anew. The kernel drops pages whose
// write-back failed and reports it once: with EIO at the third fdatasync the fourth said that all is well. A file that was
// moved or removed meanwhile takes writes as before, where nobody will find them: it is made anew in its place.

import type { ChainState } from './chain.ts';
import { type AuditFile, type AuditFiles, writeAll } from './files.ts';
import type { Scanned } from './scan.ts';

export interface SegmentFile {
  readonly folder: string;
  readonly path: string;
  readonly files: AuditFiles;
  /** Whether a file holds the chain whole up to this state. */
  holds(file: AuditFile, state: ChainState): Promise<boolean>;
}

/** The first record accepted, and the last one. */
export interface Ends {
  readonly first: Scanned['last'];
  readonly last: Scanned['last'];
}

export interface SegmentFill extends Ends {
  /** Records accepted. */
  readonly count: number;
  readonly bytes: number;
}

const EMPTY = { count: 0, bytes: 0 };
const COPIED = 1024 * 1024;

export class Segment {
  readonly #at: SegmentFile;
  /** On the clock that nobody sets. */
  readonly openedAt: number;
  #file: AuditFile;
  #fill: SegmentFill | undefined;
  #state: ChainState | undefined;
  #dirty = false;
  #lost = false;

  constructor(file: AuditFile, at: SegmentFile, openedAt: number, fill?: SegmentFill, state?: ChainState) {
    this.#file = file;
    this.#at = at;
    this.openedAt = openedAt;
    this.#fill = fill;
    this.#state = state;
  }

  get fill(): SegmentFill | undefined {
    return this.#fill;
  }

  get bytes(): number {
    return (this.#fill ?? EMPTY).bytes;
  }

  /** After what was accepted. */
  write(bytes: Uint8Array): Promise<void> {
    this.#dirty = true;
    return writeAll(this.#file, bytes, this.bytes);
  }

  async sync(): Promise<void> {
    this.#lost = true;
    await this.#file.sync();
    this.#lost = false;
  }

  /** What was written last counts from now on. */
  accept(records: number, bytes: number, ends: Ends, state: ChainState): void {
    const { count, bytes: before } = this.#fill ?? EMPTY;
    this.#fill = { ...ends, count: count + records, bytes: before + bytes };
    this.#state = state;
    this.#dirty = false;
  }

  /** To be mended before anything else is written. */
  get isHurt(): boolean {
    this.#lost ||= this.#fill !== undefined && !this.#file.isAt(this.#at.path);
    return this.#lost || this.#dirty;
  }

  async mend(): Promise<void> {
    if (this.#lost) await this.#makeAnew();
    else if (this.#dirty) await this.#file.truncate(this.bytes);
    this.#lost = false;
    this.#dirty = false;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** A new file under the same name, on the disk whole before it takes the name. */
  async #makeAnew(): Promise<void> {
    const { folder, path, files } = this.#at;
    const draft = `${path}.draft`;
    await files.unlink(draft).catch(() => {});
    const file = await files.create(draft);
    try {
      await copy(this.#file, file, this.bytes);
      if (this.#state && !(await this.#at.holds(file, this.#state))) {
        throw Object.assign(new Error('what was written cannot be read back'), { code: 'EIO' });
      }
      await file.sync();
      await files.rename(draft, path);
      await files.syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    await this.#file.close().catch(() => {});
    this.#file = file;
  }
}

async function copy(from: AuditFile, to: AuditFile, bytes: number): Promise<void> {
  const buffer = Buffer.alloc(Math.min(COPIED, bytes));
  for (let position = 0; position < bytes; ) {
    const read = await from.read(buffer.subarray(0, Math.min(buffer.length, bytes - position)), position);
    if (read <= 0) throw Object.assign(new Error('the file is shorter than what was written'), { code: 'EIO' });
    await writeAll(to, buffer.subarray(0, read), position);
    position += read;
  }
}
