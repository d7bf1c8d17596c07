// How much came in the last so many milliseconds, in ten buckets: constant memory, whatever a child does.

export type Clock = () => number;

const BUCKETS = 10;

export class RateWindow {
  readonly #bucketMs: number;
  readonly #now: Clock;
  readonly #events = new Array<number>(BUCKETS).fill(0);
  readonly #bytes = new Array<number>(BUCKETS).fill(0);
  #bucket: number;

  constructor(windowMs: number, now: Clock) {
    this.#bucketMs = windowMs / BUCKETS;
    this.#now = now;
    this.#bucket = this.#current();
  }

  /** Counts one event and returns the sums of the window, this one included. */
  add(bytes: number): { events: number; bytes: number } {
    this.#forget();
    const slot = this.#bucket % BUCKETS;
    this.#events[slot] = (this.#events[slot] ?? 0) + 1;
    this.#bytes[slot] = (this.#bytes[slot] ?? 0) + bytes;
    return { events: sum(this.#events), bytes: sum(this.#bytes) };
  }

  #forget(): void {
    const current = this.#current();
    const passed = Math.min(current - this.#bucket, BUCKETS);
    for (let step = 1; step <= passed; step += 1) {
      const slot = (this.#bucket + step) % BUCKETS;
      this.#events[slot] = 0;
      this.#bytes[slot] = 0;
    }
    this.#bucket = Math.max(current, this.#bucket);
  }

  #current(): number {
    return Math.floor(this.#now() / this.#bucketMs);
  }
}

function sum(values: readonly number[]): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
