// Notices a log that was rolled back: a call that is sent now is recorded behind everything that was recorded before. So its
// receipt's number must be above every number of that log known when the call was sent. Answers may overtake each other.

import type { Receipt } from './receipt.ts';

/** Logs of one share that are remembered; a gateway has one, and a new one after its log was moved away. */
const MAX_LOGS = 16;

/** Highest number known of each log. Never changed, only replaced. */
export type Heads = ReadonlyMap<string, Receipt>;

export const NO_HEADS: Heads = new Map();

export function seen(heads: Heads, receipt: Receipt): Heads {
  const known = heads.get(receipt.log);
  if (known && known.seq >= receipt.seq) return heads;
  const kept = [...heads].filter(([log]) => log !== receipt.log).slice(1 - MAX_LOGS);
  return new Map([...kept, [receipt.log, receipt]]);
}

/** What was known when the call was sent, and is contradicted by its receipt; undefined: nothing. */
export function contradicted(sent: Heads, receipt: Receipt): Receipt | undefined {
  const known = sent.get(receipt.log);
  return known && receipt.seq <= known.seq ? known : undefined;
}
