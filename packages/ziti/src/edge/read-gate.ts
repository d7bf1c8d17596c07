// When a channel is not read: while one of its connections, or all together, hold more than they may and nobody takes it. The
// protocol has no windows of its own, so the only brake is the socket, and it brakes all streams of the channel at once (seen:
// a host channel that is not read for 5 s makes every dial to its listeners fail). Hence the rule: not read for `pauseMs` at
// most, then the reader that caused it is given up. A stream that has the channel to itself harms nobody and may wait forever.

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
  /** Whether the one who has not read is all there is on this channel. */
  alone(): boolean;
}

export class ReadGate {
  readonly #options: ReadGateOptions;
  /** Those that hold anything. */
  readonly #readers = new Set<Reader>();
  readonly #full = new Set<Reader>();
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
    this.#total += delta;
    const { connectionBufferBytes } = this.#options.limits;
    if (reader.unreadBytes > 0) this.#readers.add(reader);
    else this.#readers.delete(reader);
    if (reader.unreadBytes > connectionBufferBytes) this.#full.add(reader);
    else if (reader.unreadBytes <= connectionBufferBytes / 2) this.#full.delete(reader);
    this.#settle();
  }

  /** The connection is over, `bytes` were never taken. */
  left(reader: Reader, bytes: number): void {
    this.#total -= bytes;
    this.#readers.delete(reader);
    this.#full.delete(reader);
    this.#settle();
  }

  /** There is one more who may be waiting. */
  joined(): void {
    if (this.#paused) this.#startTimer();
  }

  /** The channel is over. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #settle(): void {
    const { channelBufferBytes } = this.#options.limits;
    const crowded = this.#total > (this.#paused ? channelBufferBytes / 2 : channelBufferBytes);
    const wanted = crowded || this.#full.size > 0;
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
    if (this.#options.alone()) return;
    const slow = this.#full.size > 0 ? [...this.#full] : this.#largest();
    for (const reader of slow) reader.tooSlow();
    if (this.#paused) this.#startTimer();
  }

  #largest(): Reader[] {
    let largest: Reader | undefined;
    for (const reader of this.#readers) {
      if (!largest || reader.unreadBytes > largest.unreadBytes) largest = reader;
    }
    return largest ? [largest] : [];
  }
}
