// One circuit for all who start the same server: whoever asks before a start is told whether it is worth it, and what became
// of each start decides for all. closed: start. open: it failed so often that it is left alone. half-open: the pause is over,
// one may try, and its fate decides. A pure policy over a clock; sessions keep their own back-off (./backoff.ts) beside it.

import type { Backoff, BackoffState } from './backoff.ts';
import type { Clock } from './rate.ts';

const CRASHES = 5;
const WINDOW_MS = 120_000;
/** Others look again so much later, so that they do not all come at once. */
const SPREAD_MS = 2000;
const LOOK_AGAIN_MS = 500;

export interface BreakerOptions {
  readonly clock: Clock;
  /** So many failures within the window open the circuit, for as long as the window. */
  readonly crashes?: number;
  readonly windowMs?: number;
  /** It opened, or closed again. */
  readonly onChange?: (state: BreakerState) => void;
}

export interface BreakerState {
  readonly circuit: 'closed' | 'open' | 'half-open';
  /** Within the window. */
  readonly failures: number;
  /** While open: until one may try. */
  readonly leftMs: number;
  /** Of the last failure, for people. */
  readonly reason: string | undefined;
}

/** One start of the server, from the decision to start it to its end. */
export interface Attempt {
  /** It said something. */
  ok(): void;
  /** It ended by itself, or did not start. */
  failed(reason: string): void;
  /** It ended because it was wanted to. */
  over(): void;
}

export interface Breaker {
  /** undefined: not now. */
  enter(): Attempt | undefined;
  state(): BreakerState;
}

export function createBreaker(options: BreakerOptions): Breaker {
  const { clock, crashes = CRASHES, windowMs = WINDOW_MS, onChange } = options;
  let failures: number[] = [];
  let openUntil: number | undefined;
  let trial: symbol | undefined;
  let reason: string | undefined;

  const isOpen = (now: number): boolean => openUntil !== undefined && now < openUntil;

  function attempt(mine: symbol): Attempt {
    let ended = false;
    return {
      ok(): void {
        if (ended || trial !== mine) return;
        trial = undefined;
        openUntil = undefined;
        failures = [];
        onChange?.(state());
      },
      failed(why): void {
        if (ended) return;
        ended = true;
        reason = why;
        const now = clock();
        failures = [...failures.filter((at) => now - at < windowMs), now].slice(-crashes);
        // Of those that began before the pause nothing is learnt.
        if (openUntil !== undefined && trial !== mine) return;
        if (trial !== mine && failures.length < crashes) return;
        openUntil = now + windowMs;
        trial = undefined;
        onChange?.(state());
      },
      over(): void {
        ended = true;
        if (trial === mine) trial = undefined;
      },
    };
  }

  function state(): BreakerState {
    const now = clock();
    const circuit = openUntil === undefined ? 'closed' : isOpen(now) ? 'open' : 'half-open';
    const leftMs = isOpen(now) && openUntil !== undefined ? openUntil - now : 0;
    const recent = failures.filter((at) => now - at < windowMs).length;
    return { circuit, failures: recent, leftMs, reason };
  }

  return {
    enter(): Attempt | undefined {
      if (isOpen(clock()) || trial !== undefined) return undefined;
      const mine = Symbol('attempt');
      if (openUntil !== undefined) trial = mine;
      return attempt(mine);
    },
    state,
  };
}

/** The back-off of one session under the circuit of all: it waits for that too, and is not blamed for being refused by it. */
export function underBreaker(own: Backoff, breaker: Breaker, random: () => number): Backoff {
  return {
    next(): number {
      const { circuit, leftMs } = breaker.state();
      if (circuit === 'closed') return own.next();
      return Math.round(Math.max(leftMs, LOOK_AGAIN_MS) + random() * SPREAD_MS);
    },
    note(event): void {
      if (event === 'ok' || breaker.state().circuit === 'closed') own.note(event);
    },
    state(): BackoffState {
      const { attempts, ...mine } = own.state();
      return breaker.state().circuit === 'open' ? { circuit: 'open', attempts } : { ...mine, attempts };
    },
  };
}
