// What is known of every key: the index of the ledger's files, pure. A key is found, or it is new, or it is unknown because
// its number is not above one that is not kept any more (`floor`).
// Invariant: a key that was ever told of is never called new again, but where a whole session is forgotten (ONCE_LIMITS).

import type { CallKey } from './key.ts';
import { ONCE_LIMITS } from './limits.ts';

/** F: a file. Flat and of small numbers: there may be a hundred thousand. */
export interface Entry<F> {
  readonly state: 'started' | 'done' | 'unknown';
  /** Of what was asked. */
  readonly digest: number;
  /** Where the latest that is known of it stands. */
  readonly file: F;
  /** There: what was answered, or the words for why that is unknown. Length 0: there is neither. */
  readonly from: number;
  readonly length: number;
  readonly checksum: number;
}

type Key = Pick<CallKey, 'session' | 'number'>;

interface SessionBook<F> {
  readonly entries: Map<number, Entry<F>>;
  /** Numbers up to this one that have no entry are unknown. */
  floor: number;
  /** Where that is written; undefined: in no file by itself. */
  floorIn: F | undefined;
  /** The highest number that was told of. */
  top: number;
}

export interface BookLimits {
  readonly outcomesPerSession: number;
  readonly outcomes: number;
  readonly sessions: number;
  readonly endedSessions: number;
}

export class Book<F> {
  readonly #limits: BookLimits;
  /** The one that was quiet longest comes first. */
  readonly #sessions = new Map<string, SessionBook<F>>();
  readonly #ended = new Map<string, number>();
  #outcomes = 0;

  constructor(limits: BookLimits = ONCE_LIMITS) {
    this.#limits = limits;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  get outcomes(): number {
    return this.#outcomes;
  }

  look({ session, number }: Key): Entry<F> | 'new' | 'not kept' {
    const book = this.#sessions.get(session);
    const entry = book?.entries.get(number);
    if (entry !== undefined) return entry;
    const floor = Math.max(book?.floor ?? 0, this.#ended.get(session) ?? 0);
    return number <= floor ? 'not kept' : 'new';
  }

  started({ session, number }: Key, file: F, digest: number): void {
    const known = this.#sessions.get(session)?.entries.get(number);
    if (known?.state === 'done') return;
    this.#set(session, number, { state: 'started', digest, file, from: 0, length: 0, checksum: 0 });
  }

  /** `done` stays done, whatever is told later, or was told in another file. */
  settled({ session, number }: Key, end: Entry<F>): void {
    const known = this.#sessions.get(session)?.entries.get(number);
    if (known?.state === 'done') return;
    this.#set(session, number, end);
  }

  /** It may be asked again as if it had never been. */
  notRun({ session, number }: Key): void {
    const entries = this.#sessions.get(session)?.entries;
    if (entries?.get(number)?.state !== 'started') return;
    entries.delete(number);
    this.#outcomes -= 1;
  }

  /** `file`: where that is written. */
  raise(session: string, floor: number, file?: F): void {
    const book = this.#open(session);
    if (floor >= book.floor) book.floorIn = file;
    book.floor = Math.max(book.floor, floor);
    book.top = Math.max(book.top, floor);
  }

  /** Nothing that was told of it, and could not be read, is called new. */
  raiseAll(): void {
    for (const [session, { top }] of [...this.#sessions]) this.raise(session, top);
  }

  /** It ended on purpose; returns its highest number. */
  end(session: string, top = 0): number {
    const book = this.#sessions.get(session);
    const highest = Math.max(top, book?.top ?? 0, this.#ended.get(session) ?? 0);
    if (book !== undefined) this.#forget(session, book);
    this.#ended.delete(session);
    if (highest > 0) this.#ended.set(session, highest);
    for (const [oldest] of this.#ended) {
      if (this.#ended.size <= this.#limits.endedSessions) break;
      this.#ended.delete(oldest);
    }
    return highest;
  }

  /** Forgets what stands in a file: numbers up to the highest of it are not kept. Returns the floors that now have to be
   *  written elsewhere. */
  drop(file: F): { readonly session: string; readonly floor: number }[] {
    const homeless: { session: string; floor: number }[] = [];
    for (const [session, book] of this.#sessions) {
      for (const [number, entry] of book.entries) if (entry.file === file) this.#let(book, number);
      if (book.floorIn === file) book.floorIn = undefined;
      if (book.floor > 0 && book.floorIn === undefined) homeless.push({ session, floor: book.floor });
    }
    return homeless;
  }

  /** Its writer is gone: what it had started ends unknown. */
  lose(file: F): void {
    for (const { entries } of this.#sessions.values()) {
      for (const [number, entry] of entries) {
        if (entry.file === file && entry.state === 'started') entries.set(number, { ...entry, state: 'unknown' });
      }
    }
  }

  // --- keeping it small -------------------------------------------------------------------------------------------

  #set(session: string, number: number, entry: Entry<F>): void {
    const book = this.#open(session);
    // The order of a session's entries is that of what was last told of them.
    if (!book.entries.delete(number)) this.#outcomes += 1;
    book.entries.set(number, entry);
    book.top = Math.max(book.top, number);
    this.#trim(book, this.#limits.outcomesPerSession);
    if (this.#outcomes <= this.#limits.outcomes) return;
    for (const quiet of this.#sessions.values()) {
      if (this.#outcomes <= this.#limits.outcomes) return;
      this.#trim(quiet, quiet === book ? 1 : 0);
    }
  }

  /** What runs is not forgotten: its end is still to come. */
  #trim(book: SessionBook<F>, most: number): void {
    if (book.entries.size <= most) return;
    for (const [number, { state }] of book.entries) {
      if (book.entries.size <= most) return;
      if (state !== 'started') this.#let(book, number);
    }
  }

  #let(book: SessionBook<F>, number: number): void {
    book.entries.delete(number);
    this.#outcomes -= 1;
    if (number <= book.floor) return;
    book.floor = number;
    book.floorIn = undefined;
  }

  #open(session: string): SessionBook<F> {
    const known = this.#sessions.get(session);
    const book = known ?? { entries: new Map(), floor: this.#ended.get(session) ?? 0, floorIn: undefined, top: 0 };
    this.#sessions.delete(session);
    this.#sessions.set(session, book);
    this.#ended.delete(session);
    if (known !== undefined || this.#sessions.size <= this.#limits.sessions) return book;
    const [quietest] = this.#sessions;
    if (quietest !== undefined) this.#forget(...quietest);
    return book;
  }

  #forget(session: string, book: SessionBook<F>): void {
    this.#outcomes -= book.entries.size;
    this.#sessions.delete(session);
  }
}
