// The ledger of call keys: a key is written before its call has an effect, and the outcome before its answer leaves. Written
// to the page cache that survives kill -9; with `commit` both are on the disk first. Above: ./once.ts; the files: ./shelf.ts;
// what is known of each key: ./book.ts; reading and writing: ./reading.ts, ./journal.ts.
// Invariant: a key whose start is in a file is never given out as new again.

import type { Message } from '../message.ts';
import { Book } from './book.ts';
import { diskFiles, type LedgerFiles } from './files.ts';
import { Journal } from './journal.ts';
import { type CallKey, callKey } from './key.ts';
import { ONCE_LIMITS } from './limits.ts';
import { Reading } from './reading.ts';
import { Shelf, type Volume } from './shelf.ts';
import { isAlive, type LedgerWriter } from './writer.ts';

export interface LedgerOptions {
  readonly folder: string;
  /** How long an outcome can be asked for; announced by whoever keeps it. */
  readonly keepMs?: number;
  /** Of all files together. */
  readonly bytes?: number;
  /** `commit`: power may fail too. Default `os`. */
  readonly durability?: 'os' | 'commit' | undefined;
  /** Nobody comes back to this share: the folder goes with the ledger. */
  readonly temporary?: boolean;
  readonly files?: LedgerFiles;
  readonly wall?: () => number;
  /** Whether another process that wrote here still does. */
  readonly lives?: (writer: LedgerWriter) => boolean;
  /** Told when it begins and when it is over (undefined). */
  onTrouble?(trouble: string | undefined): void;
  /** Lines that could not be read. */
  onDamage?(lines: number): void;
}

/** A call that runs here. */
export interface Run {
  readonly key: CallKey;
  readonly digest: number;
  /** Who wants its answer. */
  readonly waiters: Set<Waiter>;
  /** Resolves when the start is as safe as it has to be; undefined: it is. Rejects `ledger_unwritable`. */
  readonly safe: Promise<void> | undefined;
  /** Tells the server, once nobody wants the answer any more. */
  cancel: ((asked: string | undefined) => void) | undefined;
}

/** undefined: its answer was not seen. */
export type Waiter = (answer: Message | undefined) => void;

export interface Outcome {
  readonly state: 'done' | 'unknown' | 'not run';
  /** A JSON-RPC response under whatever id it came. */
  readonly bytes: Buffer | undefined;
}

export type Found =
  | { readonly is: 'new' }
  | { readonly is: 'running'; readonly run: Run }
  | { readonly is: 'elsewhere'; readonly ended: Promise<Outcome> }
  | { readonly is: 'done'; readonly bytes: Buffer }
  | { readonly is: 'unknown'; readonly why: string; readonly digest: number | undefined }
  /** The key belongs to another call. */
  | { readonly is: 'other' };

/** How often the files of another process are looked at while one of its calls is waited for. */
const LOOK_AGAIN_MS = 200;
const TOO_LARGE = Buffer.from('it ran, and its answer was larger than what is kept');

export class Ledger {
  readonly keepMs: number;
  readonly #o: LedgerOptions;
  readonly #wall: () => number;
  readonly #bytes: number;
  readonly #shelf: Shelf;
  readonly #book = new Book<Volume>();
  readonly #journal: Journal;
  readonly #reading: Reading;
  readonly #running = new Map<string, Running>();
  /** Outcomes there was no room for. */
  readonly #unsaved = new Map<string, Unsaved>();
  #unsavedBytes = 0;
  /** Dropped, as soon as what stands for them is on the disk. */
  readonly #leaving = new WeakSet<Volume>();
  readonly #timer: NodeJS.Timeout;
  #dropping = false;
  #closed = false;

  private constructor(options: LedgerOptions) {
    this.#o = options;
    const { folder, files = diskFiles, wall = Date.now, keepMs = ONCE_LIMITS.keepMs, lives = isAlive } = options;
    this.keepMs = keepMs;
    this.#wall = wall;
    this.#bytes = Math.max(options.bytes ?? ONCE_LIMITS.bytes, ONCE_LIMITS.minBytes);
    const shelf = new Shelf({ folder, files, bytes: this.#bytes, keepMs, wall, lives });
    this.#shelf = shelf;
    this.#reading = new Reading({ files, shelf, book: this.#book, onDamage: options.onDamage });
    this.#journal = new Journal({
      folder,
      files,
      shelf,
      commits: options.durability === 'commit',
      wall,
      onTurn: () => this.#tidy(),
      onTrouble: options.onTrouble,
    });
    this.#timer = setInterval(() => this.#tidy(), Math.max(1000, keepMs / ONCE_LIMITS.filesByAge)).unref();
  }

  /** Rejects `ledger_folder_unsafe`. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options);
    await (options.files ?? diskFiles).makeFolder(options.folder);
    ledger.#reading.follow();
    ledger.#tidy();
    return ledger;
  }

  get folder(): string {
    return this.#o.folder;
  }

  /** For people: why keys are not taken; undefined when they are. */
  get trouble(): string | undefined {
    return this.#journal.trouble;
  }

  /** Whether outcomes wait for the disk before they are told. */
  get waits(): boolean {
    return this.#o.durability === 'commit';
  }

  /** Resolves when none waits. */
  async settled(): Promise<void> {
    await this.#journal.idle();
  }

  /** Whole seconds that an outcome can be asked for. */
  get seconds(): number {
    return Math.floor(this.keepMs / 1000);
  }

  get size(): {
    readonly sessions: number;
    readonly outcomes: number;
    readonly running: number;
    readonly bytes: number;
  } {
    const { sessions, outcomes } = this.#book;
    return { sessions, outcomes, running: this.#running.size, bytes: this.#shelf.bytes };
  }

  find(key: CallKey, digest: number): Found {
    const { run } = this.#running.get(key.text) ?? {};
    if (run !== undefined) return run.digest === digest ? { is: 'running', run } : { is: 'other' };
    const unsaved = this.#unsaved.get(key.text);
    if (unsaved !== undefined) {
      const { state, payload } = unsaved;
      if (unsaved.digest !== digest) return { is: 'other' };
      return state === 'done'
        ? { is: 'done', bytes: payload }
        : { is: 'unknown', why: payload.toString('utf8'), digest };
    }
    let entry = this.#book.look(key);
    if (entry === 'new' || (entry !== 'not kept' && entry.state === 'started')) {
      this.#reading.follow();
      entry = this.#book.look(key);
    }
    if (entry === 'new') return { is: 'new' };
    if (entry === 'not kept') return { is: 'unknown', why: 'its outcome is not kept any more', digest: undefined };
    if (entry.digest !== digest) return { is: 'other' };
    if (entry.state === 'started' && this.#shelf.isFollowed(entry.file)) {
      return { is: 'elsewhere', ended: this.#endedElsewhere(key) };
    }
    const bytes = this.#reading.read(entry);
    if (entry.state === 'done' && bytes !== undefined) return { is: 'done', bytes };
    const gone = entry.state === 'done' ? 'its outcome cannot be read any more' : 'the process that ran it is gone';
    return { is: 'unknown', why: entry.state === 'unknown' && bytes ? bytes.toString('utf8') : gone, digest };
  }

  /** Throws `ledger_unwritable`: then it must not run. */
  start(key: CallKey, digest: number): Run {
    const { file } = this.#journal.append('s', key, digest);
    this.#book.started(key, file, digest);
    const safe = this.#o.durability === 'commit' ? this.#safe(() => run, file) : undefined;
    const run: Run = { key, digest, waiters: new Set(), safe, cancel: undefined };
    this.#running.set(key.text, { run, volume: file, ending: false });
    if (this.#unsaved.size > 0) this.#save();
    return run;
  }

  /** The end of a run. `payload`: what is answered, or the words for why that is not known. Its waiters are told once it is
   *  as safe as it has to be; an answer that cannot be written is told all the same, and kept in memory as far as there is room. */
  settle(run: Run, state: 'done' | 'unknown', payload: Buffer, answer: Message | undefined): void {
    if (!this.#ends(run)) return;
    const { key, digest } = run;
    const fits = payload.length <= this.#largest;
    const written = this.#settle(
      fits ? { key, digest, state, payload } : { key, digest, state: 'unknown', payload: TOO_LARGE },
    );
    const tell = (): void => this.#tell(run, answer);
    if (written === undefined || this.#o.durability !== 'commit') tell();
    else this.#journal.safely(written).then(tell, tell);
  }

  /** It did not run, and the same key may be asked again. */
  notRun(run: Run, answer: Message | undefined): void {
    if (!this.#ends(run)) return;
    try {
      this.#journal.append('x', run.key, run.digest);
      this.#book.notRun(run.key);
    } catch {
      // On the disk it has begun: after a restart it is unknown, which is no lie.
    }
    this.#tell(run, answer);
  }

  /** The session ended on purpose: nobody asks for its outcomes any more. */
  end(session: string): void {
    const top = this.#book.end(session);
    if (top === 0) return;
    try {
      this.#journal.append('e', callKey(session, top));
    } catch {
      // It goes when it is too old.
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#save();
    await this.#journal.close();
    this.#shelf.close();
    if (this.#o.temporary === true) await (this.#o.files ?? diskFiles).removeFolder(this.#o.folder);
  }

  // --- the end of a call ----------------------------------------------------------------------------------------------

  /** false: it has ended before. */
  #ends(run: Run): boolean {
    const running = this.#running.get(run.key.text);
    if (running?.run !== run || running.ending) return false;
    running.ending = true;
    return true;
  }

  get #largest(): number {
    return Math.floor(this.#bytes / ONCE_LIMITS.filesByBytes) - 1024;
  }

  #settle(end: Unsaved): Volume | undefined {
    const { key, digest, state, payload } = end;
    try {
      const place = this.#journal.append(state === 'done' ? 'o' : 'u', key, digest, payload);
      this.#book.settled(key, { state, digest, ...place });
      return place.file;
    } catch {
      if (this.#unsavedBytes + payload.length > ONCE_LIMITS.unsavedBytes) return undefined;
      this.#unsaved.set(key.text, end);
      this.#unsavedBytes += payload.length;
      return undefined;
    }
  }

  #save(): void {
    for (const [text, end] of this.#unsaved) {
      this.#unsaved.delete(text);
      this.#unsavedBytes -= end.payload.length;
      if (this.#settle(end) === undefined) return;
    }
  }

  #tell(run: Run, answer: Message | undefined): void {
    this.#running.delete(run.key.text);
    const waiters = [...run.waiters];
    run.waiters.clear();
    for (const tell of waiters) tell(answer);
  }

  async #safe(run: () => Run, volume: Volume): Promise<void> {
    try {
      await this.#journal.safely(volume);
    } catch (error) {
      const { key } = run();
      // It may have been taken back meanwhile, and its key begun anew.
      if (this.#running.get(key.text)?.run === run()) {
        this.#running.delete(key.text);
        this.#book.notRun(key);
      }
      throw this.#journal.troubled(error);
    }
  }

  async #endedElsewhere(key: CallKey): Promise<Outcome> {
    for (;;) {
      await new Promise((resolve) => {
        setTimeout(resolve, LOOK_AGAIN_MS);
      });
      this.#reading.follow();
      const entry = this.#book.look(key);
      if (entry === 'new') return { state: 'not run', bytes: undefined };
      if (entry !== 'not kept' && entry.state === 'started' && this.#shelf.isFollowed(entry.file) && !this.#closed) {
        continue;
      }
      const bytes = entry === 'not kept' ? undefined : this.#reading.read(entry);
      const state = entry !== 'not kept' && entry.state === 'done' && bytes !== undefined ? 'done' : 'unknown';
      return { state, bytes };
    }
  }

  // --- keeping it small -----------------------------------------------------------------------------------------------

  /** Drops what is too old or too much, the oldest file first. */
  #tidy(): void {
    if (this.#dropping || this.#closed) return;
    this.#dropping = true;
    try {
      const before = this.#wall() - this.keepMs;
      for (const volume of [...this.#shelf.volumes]) {
        const room = this.#shelf.bytes <= this.#bytes - this.#bytes / ONCE_LIMITS.filesByBytes;
        const few = this.#shelf.volumes.length <= ONCE_LIMITS.files;
        const stays = volume.lastAt >= before && room && few && !volume.gone;
        if (stays || this.#leaving.has(volume)) continue;
        if (this.#shelf.isCurrent(volume) || (!volume.gone && this.#shelf.isFollowed(volume))) continue;
        this.#drop(volume);
      }
      this.#journal.retire();
    } catch {
      // There is no room to say what is dropped: it stays, and the next call says why.
    } finally {
      this.#dropping = false;
    }
  }

  /** What still runs, and which numbers are not kept any more, is written elsewhere first. */
  #drop(volume: Volume): void {
    for (const running of this.#running.values()) {
      if (running.volume !== volume) continue;
      const { key, digest } = running.run;
      running.volume = this.#journal.append('s', key, digest).file;
      this.#book.started(key, running.volume, digest);
    }
    for (const { session, floor } of this.#book.drop(volume)) {
      this.#book.raise(session, floor, this.#journal.append('f', callKey(session, floor)).file);
    }
    if (this.#o.durability !== 'commit') {
      this.#shelf.remove(volume);
      return;
    }
    this.#leaving.add(volume);
    void this.#journal.safely(volume).then(
      () => this.#shelf.remove(volume),
      () => this.#leaving.delete(volume),
    );
  }
}

interface Running {
  readonly run: Run;
  /** Where its start stands. */
  volume: Volume;
  /** Its outcome is on the way to the disk. */
  ending: boolean;
}

interface Unsaved {
  readonly key: CallKey;
  readonly digest: number;
  readonly state: 'done' | 'unknown';
  readonly payload: Buffer;
}
