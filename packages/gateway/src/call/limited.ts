// The answer to a call that is over a limit: which one, and when to come back. It stays in the trail, for the record.

import type { Reply, Trail } from './call.ts';
import { deny } from './denial.ts';

export interface Refusal {
  /** `identities.alice.rate`: the key of the configuration. */
  readonly limit: string;
  readonly retryAfterMs: number;
}

export function limited(trail: Trail, { limit, retryAfterMs }: Refusal): Reply {
  trail.limit = limit;
  const text = `over the limit ${limit} of this gateway; the call was not passed on, try again in ${inWords(retryAfterMs)}`;
  return deny('limited', text, { limit, retryAfterMs });
}

function inWords(ms: number): string {
  if (ms < 120_000) return `${Math.ceil(ms / 100) / 10} s`;
  const minutes = Math.ceil(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
