// What a detector says: which rule, of whom, and what of. The same cause has the same id, over restarts too.

import { createHash } from 'node:crypto';
import type { AlarmRule } from '@mcp-overlay/config';

export interface Finding {
  readonly rule: AlarmRule;
  /** Principal id; absent: nobody in particular. */
  readonly ident?: string;
  readonly backend?: string;
  /** The backend's own name. */
  readonly target?: string;
  readonly count: number;
  /** Numbers of records, the latest ones. */
  readonly seqs: readonly number[];
  /** In words; never a value of a call. */
  readonly why: string;
}

/** Eight hex digits, as a person types them. */
export function causeOf({
  rule,
  ident = '',
  backend = '',
  target = '',
}: Omit<Finding, 'count' | 'seqs' | 'why'>): string {
  return createHash('sha256')
    .update(JSON.stringify([rule, ident, backend, target]))
    .digest('hex')
    .slice(0, 8);
}

export function seqsOf(seq: number | undefined): readonly number[] {
  return seq === undefined ? [] : [seq];
}

/** `60 s`, `5 min`, `7 d`. */
export function inWords(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ] as const;
  // `60 s` is more usual than `1 min`.
  const [unit, size] = units.find(([, size]) => ms >= 2 * size && ms % size === 0) ?? ['s', 1000];
  return `${Math.round((ms / size) * 10) / 10} ${unit}`;
}
