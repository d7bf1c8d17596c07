// Records wait in a queue; one batch is committed at a time, and what came meanwhile is the next one (group commit that
// clocks itself: no delay when little happens, large batches when much does). What a record that cannot be written means
// for its call is decided here.

import type { AuditReceipt } from './audit-log.ts';
import type { Ballast } from './ballast.ts';
import { timestamp } from './clock.ts';
import type { Committer, Entry } from './committer.ts';
import { AuditError, systemCode } from './errors.ts';
import { member } from './event-body.ts';
import { AUDIT_LIMITS as LIMITS } from './limits.ts';

/** When an append resolves: on the disk; written, and on the disk at most an interval later; written. */
export type Durability = 'commit' | 'interval' | 'os';

/** What becomes of a call whose record cannot be written: refused, remembered up to so many records, let through. */
export type OnFailure = 'deny' | 'allow' | { readonly buffer: number };

export interface WriterOptions {
  readonly committer: Committer;
  readonly ballast: Ballast;
  readonly durability: Durability;
  readonly intervalMs: number;
  readonly onFailure: OnFailure;
  readonly wall: () => number;
  /** After a segment's end, every so often, and at the end. What it is told is on the disk. */
  readonly checkpoint?: { readonly everyMs: number; write(): Promise<void> };
  /** Told when it begins and when it is over (undefined). */
  onTrouble?(trouble: string | undefined): void;
}

interface Waiting extends Entry {
  /** Absent: nobody waits for it any more. */
  answer?: { resolve(receipt: AuditReceipt | undefined): void; reject(error: Error): void } | undefined;
}

interface Trouble {
  readonly code: string;
  readonly since: number;
  /** Records that were let go, or refused. */
  lost: number;
  refused: number;
}

export class Writer {
  readonly #o: WriterOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #queue: Waiting[] = [];
  #running: Promise<void> | undefined;
  #kicked = false;
  #trouble: Trouble | undefined;
  #head: AuditReceipt;
  #syncDue = false;
  #sealDue = false;
  #checkpointDue = false;
  #closing: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.#o = options;
    this.#head = options.committer.head;
    this.#every(LIMITS.heartbeatMs, () => void this.append('heartbeat', '').catch(() => {}));
    this.#every(LIMITS.retryMs, () => this.#trouble && this.#kick());
    const due = (): void => {
      this.#syncDue = true;
      void this.#kick();
    };
    if (options.durability === 'interval') this.#every(options.intervalMs, due);
    if (options.checkpoint) {
      this.#every(options.checkpoint.everyMs, () => {
        this.#checkpointDue = true;
        due();
      });
    }
  }

  /** Of what is written. */
  get head(): AuditReceipt {
    return this.#head;
  }

  get trouble(): string | undefined {
    const trouble = this.#trouble;
    return trouble && `it cannot be written since ${timestamp(trouble.since)} (${trouble.code})`;
  }

  /** undefined: it cannot be written now, and the configuration lets things go on. */
  append(type: string, body: Entry['body']): Promise<AuditReceipt | undefined> {
    if (this.#closing) return Promise.reject(new AuditError('audit_closed', 'the audit log is closed'));
    if (this.#queue.length >= LIMITS.waiting) {
      const hint = 'the disk is too slow, or it hangs';
      return Promise.reject(new AuditError('audit_busy', `${LIMITS.waiting} records wait for the disk`, { hint }));
    }
    const written = this.#push(type, body);
    // While it cannot be written, a call that may go on does not wait for the disk to say so once more.
    if (this.#trouble && this.#o.onFailure !== 'deny') this.#letGo(this.#trouble, this.#o.onFailure);
    return written;
  }

  /** Ends the segment once what waits is written. */
  rotate(): Promise<void> {
    this.#sealDue = true;
    return this.#kick();
  }

  /** Writes what waits and a last record, whatever its durability on the disk. Rejects if that cannot be done. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#syncDue = true;
    this.#checkpointDue = true;
    try {
      if ((await this.#push('log.close', '')) === undefined) throw unwritable(this.#trouble);
    } finally {
      await this.#running;
      await this.#o.committer.close();
      await this.#o.ballast.release();
    }
  }

  #push(type: string, body: Entry['body']): Promise<AuditReceipt | undefined> {
    const at = this.#o.committer.now();
    return new Promise((resolve, reject) => {
      this.#queue.push({ type, body, at, answer: { resolve, reject } });
      void this.#kick();
    });
  }

  #kick(): Promise<void> {
    this.#kicked = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    do {
      this.#kicked = false;
      await this.#drain();
      // Whoever came since is not told that it goes on by itself: nothing may stand between this question and the end.
    } while (this.#kicked);
    this.#running = undefined;
  }

  async #drain(): Promise<void> {
    // What is appended in the same turn is in the same batch.
    await Promise.resolve();
    while (this.#queue.length > 0 || this.#syncDue || this.#sealDue || this.#trouble) {
      const failed = await this.#attempt();
      if (failed) this.#trouble ??= this.#troubleOf(failed.error);
      // Once more: what is over, or only this file's, concerns nobody. It is on record afterwards.
      const again = failed && (await this.#attempt());
      if (again) return this.#giveUp(again.error);
    }
  }

  /** The next batch in the log; or why not, and it stays in the queue. */
  async #attempt(): Promise<{ readonly error: unknown } | undefined> {
    const { committer, ballast, durability } = this.#o;
    const trouble = this.#trouble;
    const sync = this.#syncDue || durability === 'commit';
    const batch = this.#queue.slice(0, LIMITS.batchRecords);
    try {
      if (!ballast.held) await ballast.take();
      const resumed = trouble
        ? [{ type: 'log.resumed', body: troubleBody(trouble), at: batch[0]?.at ?? committer.now() }]
        : [];
      const receipts = await committer.commit([...resumed, ...batch], sync, this.#sealDue);
      this.#queue.splice(0, batch.length);
      this.#head = committer.head;
      if (sync) this.#syncDue = false;
      this.#sealDue = false;
      if (committer.sealed) this.#checkpointDue = true;
      if (this.#checkpointDue && this.#o.checkpoint) await this.#writeCheckpoint(sync);
      if (trouble) this.#over();
      for (const [at, { answer }] of batch.entries()) answer?.resolve(receipts[at + resumed.length]);
      return undefined;
    } catch (error) {
      return { error };
    }
  }

  /** Of what is on the disk. Without it the log is as whole as with it: the next one will do. */
  async #writeCheckpoint(synced: boolean): Promise<void> {
    if (synced) {
      this.#checkpointDue = false;
      await this.#o.checkpoint?.write().catch(() => {});
    } else {
      this.#syncDue = true;
    }
  }

  /** It stays in trouble: said on record if there is room for that, then to whoever waits. */
  async #giveUp(error: unknown): Promise<void> {
    const { committer, ballast, onFailure } = this.#o;
    const trouble = this.#trouble ?? this.#troubleOf(error);
    this.#trouble = trouble;
    if (ballast.held && FULL.has(trouble.code)) {
      await ballast.release();
      const entry = { type: 'log.degraded', body: troubleBody(trouble), at: committer.now() };
      await committer.commit([entry], true, false).catch(() => {});
      this.#head = committer.head;
    }
    this.#o.onTrouble?.(this.trouble);
    if (onFailure !== 'deny') return this.#letGo(trouble, onFailure);
    const refused = this.#queue;
    this.#queue = [];
    this.#syncDue = false;
    trouble.refused += refused.length;
    for (const { answer } of refused) answer?.reject(unwritable(trouble, error));
  }

  /** Those that may go on without being on record. */
  #letGo(trouble: Trouble, onFailure: Exclude<OnFailure, 'deny'>): void {
    const kept = onFailure === 'allow' ? 0 : onFailure.buffer;
    const rest = this.#queue.splice(kept);
    for (const waiting of this.#queue) {
      waiting.answer?.resolve(undefined);
      waiting.answer = undefined;
    }
    for (const { answer } of rest) {
      if (onFailure === 'allow') answer?.resolve(undefined);
      else answer?.reject(unwritable(trouble));
    }
    if (onFailure === 'allow') trouble.lost += rest.length;
    else trouble.refused += rest.length;
  }

  #troubleOf(error: unknown): Trouble {
    return { code: systemCode(error), since: this.#o.wall(), lost: 0, refused: 0 };
  }

  #over(): void {
    this.#trouble = undefined;
    this.#o.onTrouble?.(undefined);
  }

  #every(ms: number, run: () => unknown): void {
    this.#timers.push(setInterval(run, ms).unref());
  }
}

/** Of the disk, and of this user's share of it. */
const FULL = new Set(['ENOSPC', 'EDQUOT']);

function troubleBody({ code, since, lost, refused }: Trouble): string {
  return member('code', code) + member('since', timestamp(since)) + member('lost', lost) + member('refused', refused);
}

function unwritable(trouble: Trouble | undefined, cause?: unknown): AuditError {
  return new AuditError('audit_unwritable', `the audit log cannot be written (${trouble?.code ?? systemCode(cause)})`, {
    hint: 'nothing runs unrecorded: make room, or mend the disk; it goes on by itself then',
    cause,
  });
}
