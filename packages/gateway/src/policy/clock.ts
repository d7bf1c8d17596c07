// The two clocks of limits: one that nobody sets, and the one that says which day it is.

export interface LimitClock {
  /** Milliseconds that nobody sets: for everything but the day. */
  mono(): number;
  /** Milliseconds since 1970. */
  wall(): number;
}

export function systemLimitClock(): LimitClock {
  return { mono: () => performance.now(), wall: Date.now };
}
