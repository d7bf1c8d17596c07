// I10: while one server is in trouble, those who call another are answered as before. Both sides of the comparison come from
// the same run, and so from the same busy machine.

import type { SentCall } from './client-ledger.ts';
import type { Finding, Trouble } from './oracle.ts';

/** What a busy machine adds to a call by itself; a server that hangs adds seconds. */
const SLACK_MS = 1000;
/** Fewer say nothing. */
const ENOUGH = 20;

export interface Neighbours {
  readonly quiet: number[];
  readonly beside: number[];
}

/** How long quick calls took: when nothing was wrong, and when another server alone was in trouble. */
export function neighbours(
  calls: Iterable<SentCall>,
  troubles: readonly Trouble[],
  servers: readonly string[],
): Neighbours {
  const found: Neighbours = { quiet: [], beside: [] };
  for (const { server, quick, sentAt, endedAt, outcome } of calls) {
    if (!quick || endedAt === undefined || outcome !== 'ok') continue;
    const during = troubles.filter(({ at, until = Number.POSITIVE_INFINITY }) => sentAt <= until && endedAt >= at);
    if (during.length === 0) found.quiet.push(endedAt - sentAt);
    else if (during.every(({ of }) => servers.includes(of) && of !== server)) found.beside.push(endedAt - sentAt);
  }
  return found;
}

export function disturbed({ quiet, beside }: Neighbours): Finding[] {
  if (quiet.length < ENOUGH || beside.length < ENOUGH) return [];
  const [usual, now] = [p99(quiet), p99(beside)];
  if (now <= 2 * usual + SLACK_MS) return [];
  return [{ inv: 'I10', text: `beside a server in trouble a call takes ${now} ms (p99), else ${usual} ms` }];
}

export function p99(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.99) - 1)] ?? 0;
}
