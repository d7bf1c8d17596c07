// What the ledger asks of the file system. An argument everywhere, so that each of these calls can be made to fail in a test.
// Writing is not handed to a thread: the page cache takes a line in microseconds, handing it over costs ten times that.

import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { RelayError } from '../errors.ts';
import type { Readable } from './record.ts';

export interface LedgerFile extends Readable {
  /** All of it, or it throws. */
  write(bytes: Buffer, at: number): void;
  truncate(bytes: number): void;
  /** Its data is on the disk when it resolves. */
  sync(): Promise<void>;
  close(): void;
}

export interface LedgerFiles {
  /** 0700; throws `ledger_folder_unsafe`. */
  makeFolder(path: string): Promise<void>;
  list(path: string): readonly string[];
  /** Another number when names in it have changed, or may have. */
  version(path: string): number;
  /** New, 0600. */
  create(path: string): LedgerFile;
  openToRead(path: string): LedgerFile;
  unlink(path: string): void;
  /** With all that is in it. */
  removeFolder(path: string): Promise<void>;
  /** Names in it are on the disk when it resolves. */
  syncFolder(path: string): Promise<void>;
}

/** Clocks of file systems tick every 1 to 10 ms. */
const TICK_MS = 50;

/** A link in place of a file would lead us to write elsewhere. */
const NO_LINK = constants.O_NOFOLLOW ?? 0;

export const diskFiles: LedgerFiles = {
  makeFolder: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const stats = lstatSync(path);
    const ours = process.getuid === undefined || stats.uid === process.getuid();
    if (stats.isDirectory() && ours && (stats.mode & 0o077) === 0) return;
    throw new RelayError('ledger_folder_unsafe', `${path} is not a folder of this user alone`, {
      hint: 'move it away, or chmod 700 it',
    });
  },
  list: (path) => readdirSync(path),
  version: (path) => {
    const { mtimeMs } = statSync(path);
    // Two changes within one tick of the kernel's clock have the same time: a fresh one equals nothing, not even itself.
    return Math.abs(Date.now() - mtimeMs) < TICK_MS ? Number.NaN : mtimeMs;
  },
  create: (path) => fileOf(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_LINK, 0o600)),
  openToRead: (path) => fileOf(openSync(path, constants.O_RDONLY | NO_LINK)),
  unlink: unlinkSync,
  removeFolder: (path) => rm(path, { recursive: true, force: true }),
  syncFolder: async (path) => {
    await using folder = await open(path, 'r');
    await folder.sync();
  },
};

function fileOf(fd: number): LedgerFile {
  return {
    get size() {
      return fstatSync(fd).size;
    },
    read: (at, length) => {
      const bytes = Buffer.allocUnsafe(length);
      let got = 0;
      for (let read = -1; read !== 0 && got < length; got += read)
        read = readSync(fd, bytes, got, length - got, at + got);
      return bytes.subarray(0, got);
    },
    write: (bytes, at) => {
      // A full disk takes a part first and says so at the next call.
      for (let from = 0; from < bytes.length; ) {
        const written = writeSync(fd, bytes, from, bytes.length - from, at + from);
        if (written <= 0) throw Object.assign(new Error('a write took nothing'), { code: 'EIO' });
        from += written;
      }
    },
    truncate: (bytes) => ftruncateSync(fd, bytes),
    sync: () =>
      new Promise((resolve, reject) => {
        fdatasync(fd, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => closeSync(fd),
  };
}
