// The reading end of a ledger: what earlier processes left, and what others of the same share write now, taken into the book.
// Damage is held against every key it may have hit, after everything is read: a key may stand elsewhere unharmed.

import { crc32 } from 'node:zlib';
import type { Book } from './book.ts';
import type { LedgerFile, LedgerFiles } from './files.ts';
import type { Place } from './journal.ts';
import type { CallKey } from './key.ts';
import { type LedgerRecord, readRecords, signed } from './record.ts';
import type { Shelf, Volume } from './shelf.ts';

export interface ReadingOptions {
  readonly files: LedgerFiles;
  readonly shelf: Shelf;
  readonly book: Book<Volume>;
  /** Lines that could not be read. */
  onDamage?: ((lines: number) => void) | undefined;
}

interface Damage {
  lines: number;
  readonly keys: CallKey[];
  /** A line in which no key can be read. */
  blind: boolean;
}

export class Reading {
  readonly #o: ReadingOptions;
  /** Files that are not read to their end for good. */
  readonly #readTo = new Map<Volume, number>();

  constructor(options: ReadingOptions) {
    this.#o = options;
  }

  /** Takes in what is new. */
  follow(): void {
    const { shelf, book, onDamage } = this.#o;
    for (const volume of shelf.arrivals()) this.#readTo.set(volume, 0);
    const damage: Damage = { lines: 0, keys: [], blind: false };
    for (const [volume, from] of this.#readTo) {
      // First: what it writes before it ends is read, too.
      const alive = shelf.isFollowed(volume);
      if (volume.file !== undefined) this.#readTo.set(volume, this.#catchUp(volume, volume.file, from, damage));
      if (alive) continue;
      book.lose(volume);
      this.#readTo.delete(volume);
      volume.file?.close();
      volume.file = undefined;
    }
    for (const { session, number } of damage.keys) book.raise(session, number);
    if (damage.blind) book.raiseAll();
    if (damage.lines > 0) onDamage?.(damage.lines);
  }

  /** What stands there; undefined: it cannot be read any more. */
  read({ file: volume, from, length, checksum }: Place): Buffer | undefined {
    if (length === 0) return undefined;
    try {
      const open = volume.file ?? this.#o.files.openToRead(volume.path);
      try {
        const bytes = open.read(from, length);
        return bytes.length === length && signed(crc32(bytes)) === checksum ? bytes : undefined;
      } finally {
        if (open !== volume.file) open.close();
      }
    } catch {
      return undefined;
    }
  }

  #catchUp(volume: Volume, file: LedgerFile, from: number, damage: Damage): number {
    volume.bytes = file.size;
    if (volume.bytes === from) return from;
    return readRecords(file, from, {
      record: (record) => this.#take(volume, record),
      damaged: (keys) => {
        damage.lines += 1;
        damage.keys.push(...keys);
        damage.blind ||= keys.length === 0;
      },
    });
  }

  #take(volume: Volume, record: LedgerRecord): void {
    const { book } = this.#o;
    const { kind, session, number, at, digest, from, length, checksum } = record;
    volume.lastAt = Math.max(volume.lastAt, at);
    const end = { digest, file: volume, from, length, checksum };
    const known = book.look(record);
    // Of two processes that began one key, each speaks of its own start: that one did not run says nothing of the other.
    const others = typeof known === 'object' && !sameWriter(known.file, volume);
    if (others && (kind === 's' || kind === 'x')) return;
    if (kind === 's') book.started(record, volume, digest);
    else if (kind === 'o') book.settled(record, { state: 'done', ...end });
    else if (kind === 'u') book.settled(record, { state: 'unknown', ...end });
    else if (kind === 'x') book.notRun(record);
    else if (kind === 'f') book.raise(session, number, volume);
    else book.end(session, number);
  }
}

function sameWriter({ other: a }: Volume, { other: b }: Volume): boolean {
  return a?.pid === b?.pid && a?.start === b?.start;
}
