// Pauses between attempts: doubling, with jitter so that many who lost the same router do not come back together.

import type { Timing } from './timing.ts';

/** Before the attempt that follows `failures` failed ones, 1 or more. */
export function backoffMs(failures: number, timing: Pick<Timing, 'retryMinMs' | 'retryMaxMs'>): number {
  const full = Math.min(timing.retryMaxMs, timing.retryMinMs * 2 ** Math.min(failures - 1, 30));
  return full * (0.5 + Math.random() / 2);
}

/** A pause that somebody can cut short. Calls of `wake` while nobody waits count for the next wait. */
export class Pause {
  #woken = false;
  #end: (() => void) | undefined;

  wake(): void {
    this.#woken = true;
    this.#end?.();
  }

  /** Resolves after `ms`, or when woken, or when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        this.#end = undefined;
        this.#woken = false;
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#end = end;
      signal.addEventListener('abort', end, { once: true });
      if (this.#woken || signal.aborted) end();
    });
  }
}
