// What waits to be written to one client: frames in order, as many bytes as the socket takes, in the shape that the faults
// ask for. It never refuses a frame; `full` tells those who forward to it that they have to stop reading.

import type { Duplex } from 'node:stream';
import type { Random } from '../random.ts';
import type { Suffered } from './faults.ts';

/** A real router takes some 20 MB on the way before the writer stands still; tests want to see that happen sooner. */
export const FULL_BYTES = 1024 * 1024;
/** With reordering on, frames wait this long for others to overtake. */
const REORDER_MS = 4;
/** Pace of a slow channel. */
const TICK_MS = 10;

interface Entry {
  bytes: Buffer;
  /** Frames of one lane stay in order. */
  readonly lane: number;
  readonly dueAt: number;
}

export class Outbox {
  readonly #stream: Duplex;
  readonly #suffered: () => Suffered;
  readonly #random: Random;
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastDueAt = 0;
  #pacedAt = 0;
  /** The first entry is the rest of a frame: nothing may come before it. */
  #partial = false;
  #waiting: (() => void)[] = [];
  #over = false;
  #ending = false;
  /** A piece is on its way: Node joins what is written behind it into one TLS record. */
  #splitting = false;

  constructor(stream: Duplex, suffered: () => Suffered, random: Random) {
    this.#stream = stream;
    this.#suffered = suffered;
    this.#random = random;
    stream.on('drain', () => this.wake());
  }

  get bytes(): number {
    return this.#queuedBytes + this.#stream.writableLength;
  }

  get full(): boolean {
    return !this.#over && this.bytes >= FULL_BYTES;
  }

  push(bytes: Buffer, lane: number): void {
    if (this.#over) return;
    const { delayMs, reorder, writes } = this.#suffered();
    const wait = delayMs + (writes?.joinMs ?? 0) + (reorder ? REORDER_MS : 0);
    this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + wait);
    this.#queue.push({ bytes, lane, dueAt: this.#lastDueAt });
    this.#queuedBytes += bytes.length;
    this.wake();
  }

  /** Once, when less than half is left, or all is over. */
  onRoom(callback: () => void): void {
    if (this.#over) queueMicrotask(callback);
    else this.#waiting.push(callback);
  }

  /** Something changed: room in the socket, a fault, a timer. */
  wake(): void {
    if (this.#over) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waitMs = this.#write(this.#suffered());
    if (waitMs !== undefined) this.#timer = setTimeout(() => this.wake(), waitMs);
    if (this.#ending && this.#queue.length === 0) this.#stream.end();
    if (this.bytes < FULL_BYTES / 2) this.#release();
  }

  /** Ends the stream behind what waits. */
  end(): void {
    this.#ending = true;
    this.wake();
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#release();
  }

  /** Writes what may go now; tells after which time to try again, if a timer has to tell. */
  #write(suffered: Suffered): number | undefined {
    while (this.#queue.length > 0 && !suffered.halfOpen && !this.#splitting && !this.#stream.writableNeedDrain) {
      const now = performance.now();
      const due = this.#due(now);
      const [first] = this.#queue;
      if (due === 0) return Math.max(1, (first?.dueAt ?? 0) - now);
      const allowed = this.#allowedBytes(suffered, now);
      if (allowed < 1) return TICK_MS;
      const bytes = this.#take(due, allowed, suffered);
      const step = suffered.writes?.splitBytes;
      if (step === undefined) this.#stream.write(bytes);
      else this.#writePieces(bytes, step);
    }
    return undefined;
  }

  /** Each piece is a write, and a TLS record, of its own. */
  #writePieces(bytes: Buffer, step: number): void {
    this.#splitting = bytes.length > 0;
    if (!this.#splitting || this.#over) {
      this.wake();
      return;
    }
    this.#stream.write(bytes.subarray(0, step), () => this.#writePieces(bytes.subarray(step), step));
  }

  #due(now: number): number {
    const next = this.#queue.findIndex(({ dueAt }) => dueAt > now);
    return next === -1 ? this.#queue.length : next;
  }

  #allowedBytes({ bytesPerSecond }: Suffered, now: number): number {
    if (bytesPerSecond === Number.POSITIVE_INFINITY) return bytesPerSecond;
    // A pause earns no more than a few ticks.
    this.#pacedAt = Math.max(this.#pacedAt, now - 3 * TICK_MS);
    return Math.floor(((now - this.#pacedAt) / 1000) * bytesPerSecond);
  }

  #take(due: number, allowed: number, { reorder, writes, bytesPerSecond }: Suffered): Buffer {
    if (writes?.joinMs !== undefined && allowed === Number.POSITIVE_INFINITY) {
      const joined = Buffer.concat(this.#queue.splice(0, due).map(({ bytes }) => bytes));
      this.#queuedBytes -= joined.length;
      return joined;
    }
    const index = reorder && !this.#partial ? this.#anyLane(due) : 0;
    const entry = this.#queue[index] as Entry;
    const bytes = entry.bytes.subarray(0, allowed);
    this.#partial = bytes.length < entry.bytes.length;
    if (this.#partial) {
      entry.bytes = entry.bytes.subarray(bytes.length);
      this.#queue.unshift(...this.#queue.splice(index, 1));
    } else {
      this.#queue.splice(index, 1);
    }
    this.#queuedBytes -= bytes.length;
    if (bytesPerSecond !== Number.POSITIVE_INFINITY) this.#pacedAt += (bytes.length / bytesPerSecond) * 1000;
    return bytes;
  }

  /** The first frame of any lane. */
  #anyLane(due: number): number {
    const firsts = new Map<number, number>();
    this.#queue.slice(0, due).forEach(({ lane }, index) => {
      if (!firsts.has(lane)) firsts.set(lane, index);
    });
    const choices = [...firsts.values()];
    return choices[this.#random.below(choices.length)] ?? 0;
  }

  #release(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}
