// A disk in memory for the audit log: it fails when told to, takes short writes, and loses what was not synced when the
// power goes. After a failed sync it does what Linux does: the next one says that all is well, and the pages are lost.

import type { Stats } from 'node:fs';
import { dirname } from 'node:path';
import type { AuditFile, AuditFiles } from '../audit/files.ts';

export type Operation = 'create' | 'open' | 'write' | 'read' | 'sync' | 'truncate' | 'rename' | 'unlink' | 'syncFolder';

export interface MemoryFilesOptions {
  /** Asked before each operation: the code that it fails with. */
  fail?(operation: Operation, path: string): string | undefined;
  /** Waited for before it. */
  hang?(operation: Operation, path: string): Promise<void> | undefined;
  /** Of one write: how many bytes it takes. */
  take?(path: string, bytes: number): number;
}

interface Inode {
  readonly ino: number;
  data: Buffer;
  /** That `data` is the beginning of: room for more. */
  room: Buffer;
  /** On the disk, whatever happens. */
  durable: Buffer;
  /** Changed since the last sync that said yes. */
  dirty: boolean;
}

export class MemoryFiles implements AuditFiles {
  options: MemoryFilesOptions;
  readonly #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  readonly #folders = new Map<string, number>();
  #inodes = Math.floor(Math.random() * 2 ** 40);

  constructor(options: MemoryFilesOptions = {}) {
    this.options = options;
  }

  /** The text of a file as a reader sees it. */
  get(path: string): Buffer {
    return this.#inode(path).data;
  }

  put(path: string, data: Uint8Array): void {
    const own = Buffer.from(data);
    const inode = { ino: this.#next(), data: own, room: own, durable: Buffer.from(data), dirty: false };
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  paths(): string[] {
    return [...this.#names.keys()];
  }

  /** What is there after the power went. */
  afterPowerLoss(): MemoryFiles {
    const left = new MemoryFiles();
    for (const path of this.#folders.keys()) left.#folders.set(path, left.#next());
    for (const [path, inode] of this.#durableNames) left.put(path, inode.durable);
    return left;
  }

  /** The same on another disk. */
  copy(): MemoryFiles {
    const copy = new MemoryFiles();
    for (const path of this.#folders.keys()) copy.#folders.set(path, copy.#next());
    for (const [path, inode] of this.#names) copy.put(path, inode.data);
    return copy;
  }

  create = async (path: string): Promise<AuditFile> => {
    this.#may('create', path);
    if (this.#names.has(path)) throw failure('EEXIST');
    const nothing = Buffer.alloc(0);
    const inode: Inode = { ino: this.#next(), data: nothing, room: nothing, durable: nothing, dirty: true };
    this.#names.set(path, inode);
    return this.#file(path, inode);
  };

  open = async (path: string): Promise<AuditFile> => {
    this.#may('open', path);
    return this.#file(path, this.#inode(path));
  };

  openToRead = async (path: string): Promise<AuditFile> => this.open(path);

  rename = async (from: string, to: string): Promise<void> => {
    this.#may('rename', from);
    this.#names.set(to, this.#inode(from));
    this.#names.delete(from);
  };

  unlink = async (path: string): Promise<void> => {
    this.#may('unlink', path);
    if (!this.#names.delete(path)) throw failure('ENOENT');
  };

  syncFolder = async (path: string): Promise<void> => {
    this.#may('syncFolder', path);
    for (const name of this.#durableNames.keys()) {
      if (dirname(name) === path && !this.#names.has(name)) this.#durableNames.delete(name);
    }
    for (const [name, inode] of this.#names) if (dirname(name) === path) this.#durableNames.set(name, inode);
  };

  makeFolder = async (path: string): Promise<boolean> => {
    if (this.#folders.has(path)) return false;
    this.#folders.set(path, this.#next());
    return true;
  };

  list = async (path: string): Promise<string[]> => {
    const within = [...this.#names.keys(), ...this.#folders.keys()].filter((name) => dirname(name) === path);
    if (within.length === 0 && !this.#folders.has(path)) throw failure('ENOENT');
    return within.map((name) => name.slice(path.length + 1));
  };

  lstat = async (path: string): Promise<Stats> => {
    const folder = this.#folders.get(path);
    const ino = folder ?? this.#inode(path).ino;
    const isDirectory = (): boolean => folder !== undefined;
    return { dev: 0, ino, uid: process.getuid?.(), mode: 0o40700, isDirectory } as unknown as Stats;
  };

  #file(path: string, inode: Inode): AuditFile {
    return {
      write: async (bytes, from, position) => {
        await this.options.hang?.('write', path);
        this.#may('write', path);
        const wanted = bytes.length - from;
        const taken = Math.min(wanted, this.options.take?.(path, wanted) ?? wanted);
        const length = Math.max(inode.data.length, position + taken);
        if (length > inode.room.length) {
          inode.room = Buffer.alloc(length * 2);
          inode.room.set(inode.data);
        }
        inode.data = inode.room.subarray(0, length);
        inode.data.set(bytes.subarray(from, from + taken), position);
        inode.dirty = true;
        return taken;
      },
      read: async (into, position) => {
        this.#may('read', path);
        return inode.data.copy(into, 0, position, position + into.length);
      },
      sync: async () => {
        try {
          this.#may('sync', path);
        } catch (error) {
          // The pages are clean now, and nowhere.
          inode.dirty = false;
          throw error;
        }
        if (inode.dirty) inode.durable = Buffer.from(inode.data);
        inode.dirty = false;
      },
      truncate: async (bytes) => {
        this.#may('truncate', path);
        inode.data = Buffer.from(inode.data.subarray(0, bytes));
        inode.room = inode.data;
        inode.dirty = true;
      },
      size: async () => inode.data.length,
      isAt: (name) => this.#names.get(name) === inode,
      close: async () => {},
    };
  }

  #may(operation: Operation, path: string): void {
    const code = this.options.fail?.(operation, path);
    if (code !== undefined) throw failure(code);
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw failure('ENOENT');
    return inode;
  }

  #next(): number {
    this.#inodes += 1;
    return this.#inodes;
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
