// Lines on a server's stdout that are no messages: shown at a bounded rate, counted, and above a rate too much.
// A rate and not a lifetime count: a server that prints one banner a day must live for ever.

import type { Limits } from '../../limits.ts';
import type { Fault } from '../../message.ts';
import type { Clock } from './rate.ts';
import { RateWindow } from './rate.ts';
import type { ChildLog } from './watcher.ts';

/** Shown per window; the rest is only counted. */
const SHOWN_LINES = 20;

export interface StrayGuard {
  /** Counts the line; true: the child is to be ended. */
  tooMuch(fault: Fault): boolean;
}

export interface StrayOptions {
  readonly name: string;
  readonly limits: Pick<Limits, 'strayLines' | 'strayBytes' | 'strayWindowMs'>;
  readonly now: Clock;
  readonly log?: ChildLog | undefined;
}

export function strayGuard({ name, limits, now, log }: StrayOptions): StrayGuard {
  const rate = new RateWindow(limits.strayWindowMs, now);
  let total = 0;
  return {
    tooMuch(fault) {
      if (!isStray(fault)) return false;
      total += 1;
      const sums = rate.add(fault.bytes);
      if (sums.events <= SHOWN_LINES) {
        log?.warn(
          { backend: name, fault: fault.code, bytes: fault.bytes, preview: fault.preview, total },
          'stray output',
        );
      }
      return sums.events > limits.strayLines || sums.bytes > limits.strayBytes;
    },
  };
}

/** A broken message (its kind could be told) is answered by its owner and is no reason to end a server. Nor is an object
 *  over the cap: a huge result whose id nobody could read looks like that. */
function isStray(fault: Fault): boolean {
  if (fault.kind !== 'unknown') return false;
  return fault.code !== 'message_too_large' || !fault.preview.trimStart().startsWith('{');
}
