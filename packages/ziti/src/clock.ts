// Time as this package sees it, so that tests need no waiting.

export interface Clock {
  /** Milliseconds that only grow: for lives and pauses. */
  now(): number;
  /** Milliseconds since the epoch: for what others wrote and people read. */
  wall(): number;
  /** Runs once after `ms`; the returned function cancels. `background`: does not keep the process alive. */
  after(ms: number, run: () => void, background?: boolean): () => void;
}

/** What setTimeout can count; a longer wait ends here and is begun again by whoever looks at the time. */
const LONGEST_MS = 2 ** 31 - 1;

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, run, background = false) {
    const timer = setTimeout(run, Math.min(ms, LONGEST_MS));
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};
