// What the log asks of the file system. An argument everywhere, so that each of these calls can be made to fail in a test.

import { constants, fdatasync, fstatSync, lstatSync, type Stats, writeSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface AuditFile {
  /** As write(2): may take fewer bytes than given. A number: it is done already. */
  write(bytes: Uint8Array, from: number, position: number): Promise<number> | number;
  read(into: Uint8Array, position: number): Promise<number>;
  /** Data and size are on the disk when it resolves. */
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  size(): Promise<number>;
  /** Whether this path still leads to it: a file that was moved or removed takes writes as before. */
  isAt(path: string): boolean;
  close(): Promise<void>;
}

export interface AuditFiles {
  /** New, 0600; rejects EEXIST. */
  create(path: string): Promise<AuditFile>;
  /** For reading and writing. */
  open(path: string): Promise<AuditFile>;
  openToRead(path: string): Promise<AuditFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Names in it are on the disk when it resolves. */
  syncFolder(path: string): Promise<void>;
  /** 0700; true if it was made, false if it is there. */
  makeFolder(path: string): Promise<boolean>;
  list(path: string): Promise<readonly string[]>;
  lstat(path: string): Promise<Stats>;
}

/** Bytes that are written without asking a thread to do it. */
const AT_ONCE = 64 * 1024;

/** A link in place of a file would lead us to write elsewhere. */
const NO_LINK = constants.O_NOFOLLOW ?? 0;

export const diskFiles: AuditFiles = {
  create: async (path) =>
    fileOf(await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_LINK, 0o600)),
  open: async (path) => fileOf(await open(path, constants.O_RDWR | NO_LINK)),
  openToRead: async (path) => fileOf(await open(path, constants.O_RDONLY)),
  rename,
  unlink,
  syncFolder: async (path) => {
    await using folder = await open(path, 'r');
    await folder.sync();
  },
  makeFolder: async (path) => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      await mkdir(path, { mode: 0o700 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  },
  list: (path) => readdir(path),
  lstat: (path) => lstat(path),
};

function fileOf(handle: FileHandle): AuditFile {
  // While it is open no other file gets its number.
  let own: Stats | undefined;
  return {
    write: (bytes, from, position) => {
      const length = bytes.length - from;
      // To the page cache, which takes microseconds; handing it to a thread and back takes ten times that, for every call.
      if (length <= AT_ONCE) return writeSync(handle.fd, bytes, from, length, position);
      return handle.write(bytes, from, length, position).then(({ bytesWritten }) => bytesWritten);
    },
    read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
    // A plain callback: the promise of a FileHandle adds a sixth to what each durable record waits for.
    sync: () => new Promise((resolve, reject) => fdatasync(handle.fd, (error) => (error ? reject(error) : resolve()))),
    truncate: (bytes) => handle.truncate(bytes),
    size: async () => (await handle.stat()).size,
    isAt: (path) => {
      // Before every batch: a call that the kernel answers from memory.
      own ??= fstatSync(handle.fd);
      const there = lstatSync(path, { throwIfNoEntry: false });
      return there !== undefined && there.ino === own.ino && there.dev === own.dev;
    },
    close: () => handle.close(),
  };
}

/** All of it: a full disk takes a part first and says ENOSPC at the next call. */
export async function writeAll(file: AuditFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    const writing = file.write(bytes, from, position + from);
    const written = typeof writing === 'number' ? writing : await writing;
    if (written <= 0) throw Object.assign(new Error('a write took nothing'), { code: 'EIO' });
    from += written;
  }
}

/** Puts a whole small file in place: a reader finds the old one or the new one. */
export async function writeWhole(files: AuditFiles, path: string, text: string): Promise<void> {
  const draft = `${path}.draft`;
  await files.unlink(draft).catch(() => {});
  const file = await files.create(draft);
  try {
    await writeAll(file, Buffer.from(text), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(draft, path);
  await files.syncFolder(dirname(path));
}

/** undefined: there is none. At most `max` bytes of it. */
export async function readWhole(files: AuditFiles, path: string, max: number): Promise<Buffer | undefined> {
  let file: AuditFile;
  try {
    file = await files.openToRead(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(max);
    let length = 0;
    for (let read = -1; read !== 0 && length < max; length += read)
      read = await file.read(bytes.subarray(length), length);
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}
