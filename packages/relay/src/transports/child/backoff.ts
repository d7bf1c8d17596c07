// When to start a crashed child again: a pure policy over a clock and a source of chance; who starts, decides.
// Full jitter over 0.5-30 s, so that fifty backends that fell together do not get up together.

import type { Clock } from './rate.ts';

export interface BackoffOptions {
  readonly clock: Clock;
  /** 0 <= x < 1. */
  readonly random: () => number;
  readonly minMs?: number;
  readonly maxMs?: number;
  /** Alive this long after 'ok', the past is forgotten. */
  readonly stableMs?: number;
  /** So many crashes within the window open the circuit. */
  readonly crashes?: number;
  readonly windowMs?: number;
}

export interface BackoffState {
  /** open: no attempt is made until the pause is over. trying: the pause is over, one attempt decides. */
  readonly circuit: 'closed' | 'open' | 'trying';
  /** Crashes in a row without a stable time between. */
  readonly attempts: number;
  /** Only while open: when the next attempt may be made, on the policy's clock. */
  readonly openUntil?: number;
}

export interface Backoff {
  /** How long to wait before the next start. While the circuit is open: until it allows one attempt. */
  next(): number;
  /** crash: it ended, or did not start. ok: it answered. */
  note(event: 'crash' | 'ok'): void;
  state(): BackoffState;
}

export function createBackoff(options: BackoffOptions): Backoff {
  const { clock, random, minMs = 500, maxMs = 30_000, stableMs = 60_000, crashes = 5, windowMs = 120_000 } = options;
  let attempts = 0;
  let recent: number[] = [];
  let okAt: number | undefined;
  let openUntil: number | undefined;

  function forgetIfStable(now: number): void {
    if (okAt === undefined || now - okAt < stableMs) return;
    attempts = 0;
    recent = [];
    openUntil = undefined;
  }

  return {
    next(): number {
      const now = clock();
      forgetIfStable(now);
      if (openUntil !== undefined && openUntil > now) return openUntil - now;
      if (attempts === 0) return 0;
      const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(attempts, 30));
      return Math.round(minMs + random() * (ceiling - minMs));
    },
    note(event): void {
      const now = clock();
      if (event === 'ok') {
        okAt ??= now;
        return;
      }
      forgetIfStable(now);
      okAt = undefined;
      attempts += 1;
      recent = [...recent.filter((at) => now - at < windowMs), now].slice(-crashes);
      // A crash of the one attempt after the pause opens it again: the pause emptied `recent`, the circuit stays known.
      if (recent.length >= crashes || openUntil !== undefined) openUntil = now + windowMs;
    },
    state(): BackoffState {
      const now = clock();
      forgetIfStable(now);
      if (openUntil === undefined) return { circuit: 'closed', attempts };
      return openUntil > now ? { circuit: 'open', attempts, openUntil } : { circuit: 'trying', attempts };
    },
  };
}
