// Time as the link sees it, so that tests need no waiting. Silence is measured on a clock that never steps; the wall
// clock is for people only.

export interface Clock {
  /** Milliseconds that only grow. */
  now(): number;
  /** Milliseconds since the epoch, for reports. */
  wall(): number;
  /** Runs once after `ms`; the returned function cancels. `background`: does not keep the process alive. */
  after(ms: number, run: () => void, background?: boolean): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, run, background = false) {
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** What the link says to its log: events and fields, never ids of links, never contents. */
export interface LinkLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

export const SILENT: LinkLog = { debug: () => {}, info: () => {}, warn: () => {} };
