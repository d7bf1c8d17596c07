// From readings to a level: 0 well, 1 takes no new sessions, 2 takes no new calls either. Entered at once where memory or
// files run out, and for lag when it comes again: one long turn of the loop (a start, a machine that woke up) is no overload.
// Left only after some seconds of calm well below the mark, so that a level does not flicker.

import type { Vitals } from './vitals.ts';

export type OverloadLevel = 0 | 1 | 2;
export type Vital = 'heap' | 'memory' | 'files' | 'lag';

export interface OverloadState {
  readonly level: OverloadLevel;
  /** Milliseconds since the epoch, of the present level. */
  readonly since: number;
  /** What is worst, or brought it to this level, and how much of it: a share, or milliseconds of lag. */
  readonly worst: Vital;
  readonly value: number;
}

interface Marks {
  readonly share: number;
  readonly lagMs: number;
}

/** Entered above, left below. */
const ENTER: Readonly<Record<1 | 2, Marks>> = { 1: { share: 0.8, lagMs: 200 }, 2: { share: 0.92, lagMs: 1000 } };
const LEAVE: Readonly<Record<1 | 2, Marks>> = { 1: { share: 0.72, lagMs: 100 }, 2: { share: 0.85, lagMs: 500 } };
/** Readings in a row below the mark, before a level is left: 5 s. */
const CALM_READINGS = 20;
/** Lag counts where this many of the last readings have it. */
const LAG_WINDOW = 8;
const LAG_TIMES = 2;

export class OverloadMeter {
  #lags: number[] = [];
  #calm = 0;
  #state: OverloadState;
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#state = { level: 0, since: now(), worst: 'heap', value: 0 };
  }

  get state(): OverloadState {
    return this.#state;
  }

  /** Returns whether the level is another now. */
  feed(vitals: Vitals): boolean {
    this.#lags = [...this.#lags, vitals.lagMs].slice(-LAG_WINDOW);
    const lagMs = [...this.#lags].sort((a, b) => b - a)[LAG_TIMES - 1] ?? 0;
    const { level } = this.#state;
    const entered = levelOf(vitals, lagMs, ENTER);
    const kept = levelOf(vitals, lagMs, LEAVE);
    this.#calm = kept < level ? this.#calm + 1 : 0;
    const next = entered > level ? entered : this.#calm >= CALM_READINGS ? kept : level;
    const news = next !== level;
    if (news) this.#calm = 0;
    // While it is calm and the level is still held, what brought it there is what there is to say.
    const { worst, value } = next > 0 && kept < next ? this.#state : worstOf(vitals, lagMs);
    this.#state = { level: next, since: news ? this.#now() : this.#state.since, worst, value };
    return news;
  }
}

function levelOf(vitals: Vitals, lagMs: number, marks: Readonly<Record<1 | 2, Marks>>): OverloadLevel {
  const share = Math.max(vitals.heap, vitals.rss, vitals.files ?? 0);
  for (const level of [2, 1] as const) {
    if (share > marks[level].share || lagMs > marks[level].lagMs) return level;
  }
  return 0;
}

/** What is nearest to its second mark. */
function worstOf({ heap, rss, files = 0 }: Vitals, lagMs: number): { readonly worst: Vital; readonly value: number } {
  const all = [
    { worst: 'heap', value: heap, part: heap / ENTER[2].share },
    { worst: 'memory', value: rss, part: rss / ENTER[2].share },
    { worst: 'files', value: files, part: files / ENTER[2].share },
    { worst: 'lag', value: lagMs, part: lagMs / ENTER[2].lagMs },
  ] as const;
  return all.reduce((a, b) => (b.part > a.part ? b : a));
}
