// Time that moves when a test says so.

import type { Clock } from '../src/clock.ts';

export interface ManualClock extends Clock {
  /** Runs what is due on the way, in its order, and lets promises settle in between. */
  advance(ms: number): Promise<void>;
  /** How long until each timer that is set, soonest first. */
  readonly pending: readonly number[];
}

export function manualClock(wallAtStart = Date.parse('2026-11-20T13:40:00Z')): ManualClock {
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();
  let now = 1000;
  const next = (until: number) => {
    return [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
  };
  return {
    now: () => now,
    wall: () => wallAtStart + now - 1000,
    after(ms, run) {
      const timer = { at: now + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const until = now + ms;
      for (let due = next(until); due !== undefined; due = next(until)) {
        timers.delete(due);
        now = Math.max(now, due.at);
        due.run();
        await settle();
      }
      now = until;
      await settle();
    },
    get pending() {
      return [...timers].map(({ at }) => at - now).sort((a, b) => a - b);
    },
  };
}

/** Until the promises that wait for nothing but each other have settled. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
