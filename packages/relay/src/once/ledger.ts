// The ledger of call keys: a key is written before its call has an effect, and the outcome before its answer leaves. Written
// to the page cache that survives kill -9; with `commit` both are on the disk first. Above: ./once.ts; the files: ./shelf.ts;
// what is known of each key: ./book.ts.
// Invariant: a key whose start is in a file is never given out as new again.

import { crc32 } from 'node:zlib';
import { RelayError } from '../errors.ts';
import { Book, type Entry } from './book.ts';
import { diskFiles, type LedgerFile, type LedgerFiles } from './files.ts';
import { GroupCommit } from './group-commit.ts';
import { type CallKey, callKey } from './key.ts';
import { ONCE_LIMITS } from './limits.ts';
import { type LedgerRecord, type RecordKind, readRecords, signed, writeRecord } from './record.ts';
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

export type Waiter = (answer: Outcome) => void;

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
  readonly #files: LedgerFiles;
  readonly #wall: () => number;
  readonly #bytes: number;
  readonly #shelf: Shelf;
  readonly #book = new Book<Volume>();
  readonly #running = new Map<string, Running>();
  /** Outcomes there was no room for. */
  readonly #unsaved = new Map<string, Unsaved>();
  #unsavedBytes = 0;
  readonly #commit: GroupCommit;
  readonly #dirty = new Set<Volume>();
  /** Dropped, as soon as what stands for them is on the disk. */
  readonly #leaving = new WeakSet<Volume>();
  readonly #readTo = new Map<Volume, number>();
  readonly #timer: NodeJS.Timeout;
  #dropping = false;
  #trouble: string | undefined;
  #closed = false;

  private constructor(options: LedgerOptions) {
    this.#o = options;
    const { folder, files = diskFiles, wall = Date.now, keepMs = ONCE_LIMITS.keepMs, lives = isAlive } = options;
    this.keepMs = keepMs;
    this.#files = files;
    this.#wall = wall;
    this.#bytes = Math.max(options.bytes ?? ONCE_LIMITS.bytes, ONCE_LIMITS.minBytes);
    this.#shelf = new Shelf({ folder, files, bytes: this.#bytes, keepMs, wall, lives });
    this.#commit = new GroupCommit(() => this.#sync());
    this.#timer = setInterval(() => this.#tidy(), Math.max(1000, keepMs / ONCE_LIMITS.filesByAge)).unref();
  }

  /** Rejects `ledger_folder_unsafe`. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options);
    await ledger.#files.makeFolder(options.folder);
    ledger.#follow();
    ledger.#tidy();
    return ledger;
  }

  /** For people: why keys are not taken; undefined when they are. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Whether outcomes wait for the disk before they are told. */
  get waits(): boolean {
    return this.#o.durability === 'commit';
  }

  /** Resolves when none waits. */
  async settled(): Promise<void> {
    await this.#commit.idle();
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
      return unsaved.digest === digest ? { is: 'done', bytes: unsaved.payload } : { is: 'other' };
    }
    let entry = this.#book.look(key);
    if (entry === 'new' || (entry !== 'not kept' && entry.state === 'started')) {
      this.#follow();
      entry = this.#book.look(key);
    }
    if (entry === 'new') return { is: 'new' };
    if (entry === 'not kept') return { is: 'unknown', why: 'its outcome is not kept any more', digest: undefined };
    if (entry.digest !== digest) return { is: 'other' };
    if (entry.state === 'started' && this.#shelf.isFollowed(entry.file)) {
      return { is: 'elsewhere', ended: this.#endedElsewhere(key) };
    }
    const bytes = this.#read(entry);
    if (entry.state === 'done' && bytes !== undefined) return { is: 'done', bytes };
    const gone = entry.state === 'done' ? 'its outcome cannot be read any more' : 'the process that ran it is gone';
    return { is: 'unknown', why: entry.state === 'unknown' && bytes ? bytes.toString('utf8') : gone, digest };
  }

  /** Throws `ledger_unwritable`: then it must not run. */
  start(key: CallKey, digest: number): Run {
    const { file } = this.#append('s', key, digest);
    this.#book.started(key, file, digest);
    const safe = this.#o.durability === 'commit' ? this.#safe(key, file) : undefined;
    const run: Run = { key, digest, waiters: new Set(), safe, cancel: undefined };
    this.#running.set(key.text, { run, volume: file, ending: false });
    if (this.#unsaved.size > 0) this.#save();
    return run;
  }

  /** The end of a run. `payload`: what is answered, or the words for why that is not known. Its waiters are told once it is
   *  as safe as it has to be; an answer that cannot be written is told all the same, and kept in memory as far as there is room. */
  settle(run: Run, state: 'done' | 'unknown', payload: Buffer, answer: Buffer): void {
    if (!this.#ends(run)) return;
    const { key, digest } = run;
    const fits = payload.length <= this.#largest;
    const written = this.#settle(
      fits ? { key, digest, state, payload } : { key, digest, state: 'unknown', payload: TOO_LARGE },
    );
    const tell = (): void => this.#tell(run, { state, bytes: answer });
    if (written === undefined || this.#o.durability !== 'commit') tell();
    else this.#safely(written).then(tell, tell);
  }

  /** It did not run, and the same key may be asked again. */
  notRun(run: Run, answer: Buffer | undefined): void {
    if (!this.#ends(run)) return;
    try {
      this.#append('x', run.key, run.digest);
      this.#book.notRun(run.key);
    } catch {
      // On the disk it has begun: after a restart it is unknown, which is no lie.
    }
    this.#tell(run, { state: 'not run', bytes: answer });
  }

  /** The session ended on purpose: nobody asks for its outcomes any more. */
  end(session: string): void {
    const top = this.#book.end(session);
    if (top === 0) return;
    try {
      this.#append('e', callKey(session, top));
    } catch {
      // It goes when it is too old.
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#save();
    await this.#commit.idle();
    if (this.#o.durability === 'commit') await this.#sync().catch(() => {});
    this.#shelf.close();
    if (this.#o.temporary === true) await this.#files.removeFolder(this.#o.folder);
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
      const place = this.#append(state === 'done' ? 'o' : 'u', key, digest, payload);
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

  #tell(run: Run, outcome: Outcome): void {
    this.#running.delete(run.key.text);
    const waiters = [...run.waiters];
    run.waiters.clear();
    for (const tell of waiters) tell(outcome);
  }

  // --- writing --------------------------------------------------------------------------------------------------------

  #append(kind: RecordKind, key: CallKey, digest?: number, payload?: Buffer): Place {
    const at = this.#wall();
    const { bytes, from, checksum } = writeRecord(kind, key, at, digest, payload);
    let volume: Volume | undefined;
    try {
      if (this.#closed) throw new Error('it is closed');
      const current = this.#shelf.current(bytes.length);
      volume = current.volume;
      if (current.fresh) this.#tidy();
      this.#write(current.volume, current.file, bytes);
    } catch (error) {
      throw this.#troubled(error);
    }
    if (this.#trouble !== undefined) this.#over();
    const place = { file: volume, from: volume.bytes + from, length: payload?.length ?? 0, checksum };
    volume.bytes += bytes.length;
    volume.lastAt = at;
    if (this.#o.durability === 'commit') this.#dirty.add(volume);
    return place;
  }

  #write(volume: Volume, file: LedgerFile, bytes: Buffer): void {
    try {
      file.write(bytes, volume.bytes);
    } catch (error) {
      try {
        file.truncate(volume.bytes);
      } catch {
        volume.hurt = true;
      }
      throw error;
    }
  }

  #troubled(error: unknown): RelayError {
    const { code = 'it failed' } = error as { code?: string };
    const news = this.#trouble === undefined;
    this.#trouble ??= `it cannot be written since ${new Date(this.#wall()).toISOString()} (${code})`;
    if (news) this.#o.onTrouble?.(this.#trouble);
    return new RelayError('ledger_unwritable', `the ledger of calls cannot be written (${code})`, {
      hint: 'make room, or mend the disk; it goes on by itself then',
      cause: error,
    });
  }

  #over(): void {
    this.#trouble = undefined;
    this.#o.onTrouble?.(undefined);
  }

  async #safe(key: CallKey, volume: Volume): Promise<void> {
    try {
      await this.#safely(volume);
    } catch (error) {
      this.#running.delete(key.text);
      this.#book.notRun(key);
      throw this.#troubled(error);
    }
  }

  async #safely(volume: Volume): Promise<void> {
    try {
      await this.#commit.done();
    } catch (error) {
      // What the disk has of it is not known.
      volume.hurt = true;
      throw error;
    }
  }

  async #sync(): Promise<void> {
    const volumes = [...this.#dirty];
    this.#dirty.clear();
    const fresh = volumes.filter(({ named }) => !named);
    await Promise.all(volumes.map(({ file }) => file?.sync()));
    if (fresh.length > 0) await this.#files.syncFolder(this.#o.folder);
    for (const volume of fresh) volume.named = true;
    for (const volume of volumes) this.#retire(volume);
  }

  /** A file that is full is closed, once it is as safe as it has to be. */
  #retire(volume: Volume): void {
    if (volume.other !== undefined || this.#shelf.isCurrent(volume) || this.#dirty.has(volume)) return;
    volume.file?.close();
    volume.file = undefined;
  }

  // --- reading --------------------------------------------------------------------------------------------------------

  /** What others have written since. */
  #follow(): void {
    let arrived: Volume[] = [];
    try {
      arrived = this.#shelf.arrivals();
    } catch {
      // The folder cannot be read: nor can it be written, which is said where that matters.
    }
    for (const volume of arrived) this.#readTo.set(volume, 0);
    const damage: { lines: number; keys: CallKey[]; blind: boolean } = { lines: 0, keys: [], blind: false };
    for (const [volume, from] of this.#readTo) {
      const alive = this.#shelf.isFollowed(volume);
      if (volume.file !== undefined) this.#readTo.set(volume, this.#catchUp(volume, volume.file, from, damage));
      if (alive) continue;
      this.#book.lose(volume);
      this.#readTo.delete(volume);
      volume.file?.close();
      volume.file = undefined;
    }
    // After everything is read: a key may stand elsewhere unharmed.
    for (const { session, number } of damage.keys) this.#book.raise(session, number);
    if (damage.blind) this.#book.raiseAll();
    if (damage.lines > 0) this.#o.onDamage?.(damage.lines);
  }

  #catchUp(
    volume: Volume,
    file: LedgerFile,
    from: number,
    damage: { lines: number; keys: CallKey[]; blind: boolean },
  ): number {
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
    const { kind, session, number, at, digest, from, length, checksum } = record;
    volume.lastAt = Math.max(volume.lastAt, at);
    switch (kind) {
      case 's':
        this.#book.started(record, volume, digest);
        break;
      case 'o':
      case 'u': {
        const state = kind === 'o' ? 'done' : 'unknown';
        this.#book.settled(record, { state, digest, file: volume, from, length, checksum });
        break;
      }
      case 'x':
        this.#book.notRun(record);
        break;
      case 'f':
        this.#book.raise(session, number, volume);
        break;
      case 'e':
        this.#book.end(session, number);
    }
  }

  #read({ file: volume, from, length, checksum }: Place): Buffer | undefined {
    if (length === 0) return undefined;
    try {
      const open = volume.file ?? this.#files.openToRead(volume.path);
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

  async #endedElsewhere(key: CallKey): Promise<Outcome> {
    for (;;) {
      await new Promise((resolve) => {
        setTimeout(resolve, LOOK_AGAIN_MS);
      });
      this.#follow();
      const entry = this.#book.look(key);
      if (entry === 'new') return { state: 'not run', bytes: undefined };
      if (entry !== 'not kept' && entry.state === 'started' && this.#shelf.isFollowed(entry.file) && !this.#closed) {
        continue;
      }
      const bytes = entry === 'not kept' ? undefined : this.#read(entry);
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
        if (this.#leaving.has(volume) || (volume.lastAt >= before && room && few)) continue;
        if (this.#shelf.isCurrent(volume) || this.#shelf.isFollowed(volume)) continue;
        this.#drop(volume);
      }
      if (this.#o.durability !== 'commit') for (const volume of this.#shelf.volumes) this.#retire(volume);
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
      running.volume = this.#append('s', key, digest).file;
      this.#book.started(key, running.volume, digest);
    }
    for (const { session, floor } of this.#book.drop(volume)) {
      this.#book.raise(session, floor, this.#append('f', callKey(session, floor)).file);
    }
    if (this.#o.durability !== 'commit') {
      this.#shelf.remove(volume);
      return;
    }
    this.#leaving.add(volume);
    void this.#commit.done().then(
      () => this.#shelf.remove(volume),
      () => this.#leaving.delete(volume),
    );
  }
}

type Place = Pick<Entry<Volume>, 'file' | 'from' | 'length' | 'checksum'>;

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
