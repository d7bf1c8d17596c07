// How often something happened lately, by key. A window is cut into slots, so a counter is a few numbers whatever happens,
// and never counts what is older than its window. The least recently used counter goes first.

import { ALARM_CAPS } from './limits.ts';

const SLOTS = 12;

interface Counter {
  readonly counts: number[];
  /** Number of the latest slot, since the clock's beginning. */
  slot: number;
  total: number;
  seqs: number[];
}

export interface Tally {
  readonly count: number;
  /** The latest records. */
  readonly seqs: readonly number[];
}

export class Recent {
  private readonly slotMs: number;
  private readonly counters = new Map<string, Counter>();

  constructor(withinMs: number) {
    this.slotMs = withinMs / SLOTS;
  }

  /** Counts one more. */
  add(key: string, mono: number, seq: number | undefined): Tally {
    const counter = this.counterOf(key);
    this.turn(counter, mono);
    const at = counter.slot % SLOTS;
    counter.counts[at] = (counter.counts[at] ?? 0) + 1;
    counter.total += 1;
    if (seq !== undefined) counter.seqs = [...counter.seqs.slice(1 - ALARM_CAPS.seqs), seq];
    return { count: counter.total, seqs: counter.seqs };
  }

  get size(): number {
    return this.counters.size;
  }

  private counterOf(key: string): Counter {
    const counter = this.counters.get(key) ?? { counts: new Array(SLOTS).fill(0), slot: 0, total: 0, seqs: [] };
    this.counters.delete(key);
    this.counters.set(key, counter);
    if (this.counters.size > ALARM_CAPS.counters) {
      const [oldest] = this.counters.keys();
      if (oldest !== undefined) this.counters.delete(oldest);
    }
    return counter;
  }

  /** Slots that were passed over are empty. */
  private turn(counter: Counter, mono: number): void {
    const now = Math.max(counter.slot, Math.floor(mono / this.slotMs));
    for (let passed = Math.min(now - counter.slot, SLOTS); passed > 0; passed -= 1) {
      const at = (now - passed + 1) % SLOTS;
      counter.total -= counter.counts[at] ?? 0;
      counter.counts[at] = 0;
    }
    counter.slot = now;
    if (counter.total === 0) counter.seqs = [];
  }
}
