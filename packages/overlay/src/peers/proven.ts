// What a proof is worth later on: its CAs may go, or revoke it, and its certificates end. Before they do, whoever came with
// it is asked to prove itself again, for it may have newer ones: those of a login are good for hours, links live for weeks.

import { judgeAgain, type Proven } from '../proof/prove.ts';
import type { TrustBundle } from '../proof/trust.ts';
import type { Evidence } from './standing.ts';

export interface ProvenOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  trust(): Promise<readonly TrustBundle[]>;
  /** Has it prove itself again. */
  ask(): void;
}

/** It has a newer one an hour before (ziti controller/session-certificate), and some time to get it. */
const ASK_BEFORE_MS = 30 * 60_000;
/** Who has none by then is not asked over and over. */
const ASK_AT_LEAST_MS = 60_000;

export function evidenceOf({ chain, id, until }: Proven, { now, trust, ask }: ProvenOptions): Evidence {
  const left = until - now;
  // Who came late with an old one is asked in half of what is left.
  let askAt = left > ASK_AT_LEAST_MS ? Math.max(until - ASK_BEFORE_MS, now + left / 2) : Number.POSITIVE_INFINITY;
  let end = until;
  return {
    againIn: (believed) => void judgeAgain(chain, id, believed),
    again: async (at) => {
      // Its CA may have been renewed.
      if (at > end) end = judgeAgain(chain, id, await trust(), at);
      if (at < askAt) return;
      askAt = Number.POSITIVE_INFINITY;
      ask();
    },
  };
}
