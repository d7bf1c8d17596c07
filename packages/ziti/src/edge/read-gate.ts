// When a channel is not read: while one of its connections, or all together, hold more than they may and nobody takes it. The
// protocol has no windows of its own, so the only brake is the socket, and it brakes all streams of the channel at once, then
// those of the channel at the other end (seen: after some 20 MB a host that is not read answers no dial any more). Hence:
// not read for `pauseMs` at most; then a reader that took something may go on, one that took nothing is given up.

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

/** Of a cap: what must have been taken of it when the time is over. At 4 MiB and 1.5 s that is 170 KiB a second. */
const PROGRESS = 1 / 16;

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
    clearTimeout(this.#timer);
    this.#timer = undefined;
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
    if (wanted) {
      this.#options.pause();
      this.#startTimer();
      return;
    }
    this.stop();
    this.#options.resume();
  }

  #startTimer(): void {
    this.#timer ??= setTimeout(() => this.#onTimer(), this.#options.pauseMs);
  }

  #onTimer(): void {
    this.#timer = undefined;
    const { connectionBufferBytes, channelBufferBytes } = this.#options.limits;
    for (const reader of [...this.#full]) {
      if (reader.unreadBytes > connectionBufferBytes * (1 - PROGRESS)) reader.tooSlow();
      else this.#full.delete(reader);
    }
    if (this.#total <= channelBufferBytes * (1 - PROGRESS)) this.#crowded = false;
    else if (this.#crowded) this.#largest()?.tooSlow();
    this.#settle();
    if (this.#paused) this.#startTimer();
  }

  #largest(): Reader | undefined {
    let largest: Reader | undefined;
    for (const reader of this.#readers) {
      if (!largest || reader.unreadBytes > largest.unreadBytes) largest = reader;
    }
    return largest;
  }
}
