// When a channel is not read: while one of its connections, or all together, hold more than they may and nobody takes it. The
// protocol has no windows of its own, so the only brake is the socket, and it brakes all streams of the channel at once, then
// those of the channel at the other end (seen: after some 20 MB a host that is not read answers no dial any more). Hence:
// one stream stops the others for `pauseMs` at most; then it may go on if it took something, or is given up. When it is all
// of them together nobody is to blame, so only who took nothing for much longer goes.

import type { Limits } from '../limits.ts';

/** A connection as the gate sees it. */
export interface Reader {
  /** Received and not taken. */
  readonly unreadBytes: number;
  /** Destroy yourself: others wait for you. */
  tooSlow(): void;
}

export interface ReadGateOptions {
  readonly limits: Pick<Limits, 'connectionBufferBytes' | 'channelBufferBytes'>;
  readonly pauseMs: number;
  pause(): void;
  resume(): void;
}

/** Of a cap: what must have been taken of it when the time is over. At 4 MiB and 2 s that is 128 KiB a second. */
const PROGRESS = 1 / 16;
/** The time is counted in turns of the event loop that had their chance to read: a program that was stopped, starved or asleep
 * has not been slow. */
const TICKS = 10;
/** In times of `pauseMs`, when all together hold too much. */
const CROWD_PATIENCE = 4;

export class ReadGate {
  readonly #options: ReadGateOptions;
  /** Those that hold anything. */
  readonly #readers = new Set<Reader>();
  /** Over their cap, and not below half of it since. */
  readonly #full = new Set<Reader>();
  /** The same for all together. */
  #crowded = false;
  #total = 0;
  #paused = false;
  /** What each held when the channel was stopped. */
  #before = new Map<Reader, number>();
  #ticks = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReadGateOptions) {
    this.#options = options;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get unreadBytes(): number {
    return this.#total;
  }

  /** `delta`: what `unreadBytes` grew by since the last call. */
  changed(reader: Reader, delta: number): void {
    const { connectionBufferBytes } = this.#options.limits;
    if (reader.unreadBytes > 0) this.#readers.add(reader);
    else this.#readers.delete(reader);
    if (reader.unreadBytes > connectionBufferBytes) this.#full.add(reader);
    else if (reader.unreadBytes <= connectionBufferBytes / 2) this.#full.delete(reader);
    this.#count(delta);
  }

  /** The connection is over, `bytes` were never taken. */
  left(reader: Reader, bytes: number): void {
    this.#readers.delete(reader);
    this.#full.delete(reader);
    this.#count(-bytes);
  }

  /** The channel is over. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#before.clear();
  }

  #count(delta: number): void {
    const { channelBufferBytes } = this.#options.limits;
    this.#total += delta;
    if (this.#total > channelBufferBytes) this.#crowded = true;
    else if (this.#total <= channelBufferBytes / 2) this.#crowded = false;
    this.#settle();
  }

  #settle(): void {
    const wanted = this.#crowded || this.#full.size > 0;
    if (wanted === this.#paused) return;
    this.#paused = wanted;
    if (!wanted) {
      this.stop();
      this.#options.resume();
      return;
    }
    this.#options.pause();
    for (const reader of this.#readers) this.#before.set(reader, reader.unreadBytes);
    this.#ticks = 0;
    this.#timer = setInterval(() => this.#onTick(), this.#options.pauseMs / TICKS);
  }

  #onTick(): void {
    this.#ticks += 1;
    if (this.#ticks % TICKS !== 0) return;
    const { connectionBufferBytes, channelBufferBytes } = this.#options.limits;
    for (const reader of [...this.#full]) {
      if (reader.unreadBytes > connectionBufferBytes * (1 - PROGRESS)) reader.tooSlow();
      else this.#full.delete(reader);
    }
    const enough = channelBufferBytes * (1 - PROGRESS);
    if (this.#crowded && this.#total > enough && this.#ticks >= TICKS * CROWD_PATIENCE) this.#largestStuck()?.tooSlow();
    if (this.#total <= enough) this.#crowded = false;
    this.#settle();
  }

  #largestStuck(): Reader | undefined {
    let largest: Reader | undefined;
    for (const reader of this.#readers) {
      const isStuck = reader.unreadBytes >= (this.#before.get(reader) ?? 0);
      if (isStuck && (!largest || reader.unreadBytes > largest.unreadBytes)) largest = reader;
    }
    return largest;
  }
}
