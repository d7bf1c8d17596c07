// Room on the disk that is given back when the disk is full, so that this can still be put on record.

import { join } from 'node:path';
import { type AuditFiles, writeAll } from './files.ts';

export class Ballast {
  readonly #path: string;
  readonly #files: AuditFiles;
  readonly #bytes: number;
  #held = false;

  constructor(folder: string, files: AuditFiles, bytes: number) {
    this.#path = join(folder, 'ballast');
    this.#files = files;
    this.#bytes = bytes;
  }

  get held(): boolean {
    return this.#held;
  }

  /** Rejects when there is no room. */
  async take(): Promise<void> {
    if (this.#held) return;
    await this.#files.unlink(this.#path).catch(() => {});
    const file = await this.#files.create(this.#path);
    try {
      // Written, not only reserved: not every file system keeps a promise of room.
      await writeAll(file, Buffer.alloc(this.#bytes), 0);
      this.#held = true;
    } finally {
      await file.close();
      if (!this.#held) await this.release();
    }
  }

  async release(): Promise<void> {
    this.#held = false;
    await this.#files.unlink(this.#path).catch(() => {});
  }
}
