// A disk for ledgers in memory, that can be full, fail at its nth call, lose what was not synced, or be cut at any byte.

import type { LedgerFile, LedgerFiles } from '../once/files.ts';

interface Stored {
  bytes: Buffer;
  /** As far as it is on the disk. */
  synced: number;
}

export class MemoryLedgerFiles implements LedgerFiles {
  readonly stored = new Map<string, Stored>();
  /** Calls that change something or wait for the disk. */
  calls = 0;
  /** Bytes there is still room for. */
  room = Number.POSITIVE_INFINITY;
  /** Called before each of them; throws what the disk says. */
  before: (what: 'create' | 'write' | 'truncate' | 'sync' | 'unlink', path: string) => void = () => {};
  #version = 0;

  async makeFolder(): Promise<void> {}

  list(folder: string): readonly string[] {
    return [...this.stored.keys()]
      .filter((path) => path.startsWith(`${folder}/`))
      .map((path) => path.slice(folder.length + 1));
  }

  version(): number {
    return this.#version;
  }

  create(path: string): LedgerFile {
    this.#note('create', path);
    const stored: Stored = { bytes: Buffer.alloc(0), synced: 0 };
    this.stored.set(path, stored);
    this.#version += 1;
    return this.#file(path, stored);
  }

  openToRead(path: string): LedgerFile {
    const stored = this.stored.get(path);
    if (!stored) throw Object.assign(new Error('it is not there'), { code: 'ENOENT' });
    return this.#file(path, stored);
  }

  unlink(path: string): void {
    this.#note('unlink', path);
    this.stored.delete(path);
    this.#version += 1;
  }

  async removeFolder(folder: string): Promise<void> {
    for (const name of this.list(folder)) this.stored.delete(`${folder}/${name}`);
  }

  async syncFolder(): Promise<void> {}

  /** What a process finds that comes after a kill: another disk with the same bytes, or the first of them. */
  copy(change: (bytes: Buffer, path: string) => Buffer = (bytes) => bytes): MemoryLedgerFiles {
    const copy = new MemoryLedgerFiles();
    for (const [path, { bytes }] of this.stored) {
      const now = change(Buffer.from(bytes), path);
      copy.stored.set(path, { bytes: now, synced: now.length });
    }
    return copy;
  }

  /** What is left when the power fails. */
  afterPowerLoss(): MemoryLedgerFiles {
    return this.copy((bytes, path) => bytes.subarray(0, this.stored.get(path)?.synced));
  }

  #note(what: Parameters<MemoryLedgerFiles['before']>[0], path: string): void {
    this.calls += 1;
    this.before(what, path);
  }

  #file(path: string, stored: Stored): LedgerFile {
    return {
      get size() {
        return stored.bytes.length;
      },
      read: (at, length) => stored.bytes.subarray(at, at + length),
      write: (bytes, at) => {
        this.#note('write', path);
        const taken = Math.min(bytes.length, Math.max(0, this.room));
        stored.bytes = Buffer.concat([stored.bytes.subarray(0, at), bytes.subarray(0, taken)]);
        this.room -= taken;
        if (taken < bytes.length) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      },
      truncate: (length) => {
        this.#note('truncate', path);
        this.room += Math.max(0, stored.bytes.length - length);
        stored.bytes = stored.bytes.subarray(0, length);
      },
      sync: async () => {
        const { length } = stored.bytes;
        await Promise.resolve();
        this.#note('sync', path);
        stored.synced = Math.max(stored.synced, length);
      },
      close: () => {},
    };
  }
}
