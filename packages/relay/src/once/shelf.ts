// The files of one ledger's folder: those this process writes, one after the other, and those of others, which it reads.
// Nobody ever writes into another's file, so two processes of one share cannot spoil each other's, and what a killed one
// left needs no mending.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { LedgerFile, LedgerFiles } from './files.ts';
import { ONCE_LIMITS } from './limits.ts';
import { firstLine, writerOf } from './record.ts';
import { type LedgerWriter, thisWriter } from './writer.ts';

export interface Volume {
  readonly path: string;
  readonly name: string;
  /** undefined: we write it, or wrote it. */
  readonly other: LedgerWriter | undefined;
  bytes: number;
  /** Of its newest record. */
  lastAt: number;
  readonly openedAt: number;
  /** While it is written, or followed. */
  file: LedgerFile | undefined;
  /** A write failed and could not be taken back: nothing more is written here. */
  hurt: boolean;
  /** Somebody removed it. */
  gone: boolean;
  /** Its name is on the disk. */
  named: boolean;
}

export interface ShelfOptions {
  readonly folder: string;
  readonly files: LedgerFiles;
  readonly bytes: number;
  readonly keepMs: number;
  readonly wall: () => number;
  readonly lives: (writer: LedgerWriter) => boolean;
}

/** First the time it was made, so that names are in order. */
const NAME = /^([0-9]{15})-[0-9a-f]{12}\.once$/;

export class Shelf {
  readonly #o: ShelfOptions;
  readonly #us = thisWriter();
  /** Oldest first. */
  readonly volumes: Volume[] = [];
  readonly #seen = new Set<string>();
  #version = -1;
  #current: Volume | undefined;

  constructor(options: ShelfOptions) {
    this.#o = options;
  }

  get bytes(): number {
    return this.volumes.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Files that were not there before. */
  arrivals(): Volume[] {
    const names = this.#names();
    if (names === undefined) return [];
    // A file that was moved or removed takes writes as before, and nobody would find them.
    for (const volume of this.volumes) volume.gone ||= !names.includes(volume.name);
    const fresh = names.filter((name) => NAME.test(name) && !this.#seen.has(name));
    const found = fresh.sort().flatMap((name) => this.#take(name) ?? []);
    this.volumes.push(...found);
    this.volumes.sort((a, b) => (a.name < b.name ? -1 : 1));
    return found;
  }

  /** Where so many bytes are to be written. `fresh`: it is another one than before. Throws what the disk says. */
  current(length: number): { readonly volume: Volume; readonly file: LedgerFile; readonly fresh: boolean } {
    const { bytes, keepMs, wall } = this.#o;
    const now = this.#current;
    const full =
      now === undefined ||
      now.file === undefined ||
      now.hurt ||
      now.gone ||
      now.bytes + length > bytes / ONCE_LIMITS.filesByBytes ||
      wall() - now.openedAt > keepMs / ONCE_LIMITS.filesByAge;
    if (!full) return { volume: now, file: now.file as LedgerFile, fresh: false };
    const volume = this.#begin();
    return { volume, file: volume.file as LedgerFile, fresh: true };
  }

  isCurrent(volume: Volume): boolean {
    return volume === this.#current;
  }

  /** Another process writes there now. */
  isFollowed({ other, file }: Volume): boolean {
    return other !== undefined && file !== undefined && this.#o.lives(other);
  }

  remove(volume: Volume): void {
    const at = this.volumes.indexOf(volume);
    if (at >= 0) this.volumes.splice(at, 1);
    volume.file?.close();
    volume.file = undefined;
    try {
      this.#o.files.unlink(volume.path);
    } catch {
      // It is gone already, or stays: it is not counted any more, and the next process removes it.
    }
  }

  close(): void {
    for (const volume of this.volumes) {
      volume.file?.close();
      volume.file = undefined;
    }
    this.#current = undefined;
  }

  /** undefined: nothing has changed. */
  #names(): readonly string[] | undefined {
    const { files, folder } = this.#o;
    try {
      const version = files.version(folder);
      if (version === this.#version) return undefined;
      const names = files.list(folder);
      this.#version = version;
      return names;
    } catch (error) {
      // Without room for one more open file nothing is known of any: only a folder that is not there has none.
      return isGone(error) ? [] : undefined;
    }
  }

  #take(name: string): Volume | undefined {
    const { files, folder, wall } = this.#o;
    const path = join(folder, name);
    this.#seen.add(name);
    let file: LedgerFile | undefined;
    try {
      file = files.openToRead(path);
      const other = writerOf(file) ?? { pid: 0, start: 'unknown' };
      const openedAt = Number(NAME.exec(name)?.[1] ?? wall());
      return {
        path,
        name,
        other,
        bytes: file.size,
        lastAt: openedAt,
        openedAt,
        file,
        hurt: false,
        gone: false,
        named: true,
      };
    } catch (error) {
      file?.close();
      // Its writer has just dropped it; else it is there, and looked at again with the next key that is not known.
      if (!isGone(error)) {
        this.#seen.delete(name);
        this.#version = Number.NaN;
      }
      return undefined;
    }
  }

  #begin(): Volume {
    const { files, folder, wall } = this.#o;
    const openedAt = wall();
    const last = this.volumes.at(-1)?.name.slice(0, 15) ?? '';
    // In order also when the clock was set back.
    const stamp = String(Math.max(openedAt, Number(last) + 1)).padStart(15, '0');
    const name = `${stamp}-${randomBytes(6).toString('hex')}.once`;
    const path = join(folder, name);
    this.#seen.add(name);
    const file = files.create(path);
    const line = firstLine(this.#us.pid, this.#us.start);
    try {
      file.write(line, 0);
    } catch (error) {
      file.close();
      files.unlink(path);
      throw error;
    }
    const volume: Volume = {
      path,
      name,
      other: undefined,
      bytes: line.length,
      lastAt: openedAt,
      openedAt,
      file,
      hurt: false,
      gone: false,
      named: false,
    };
    this.volumes.push(volume);
    this.#current = volume;
    return volume;
  }
}

function isGone(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === 'ENOENT' || code === 'ENOTDIR';
}
