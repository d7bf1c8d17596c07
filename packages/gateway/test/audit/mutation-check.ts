// Shared by the fixed sample and the whole of the mutations.

import assert from 'node:assert/strict';
import type { KeyRing } from '../../src/audit/keys.ts';
import type { Verdict } from '../../src/audit/verify/verify.ts';
import type { Mutation } from './mutations.ts';
import { type Sample, verifySegments } from './sample.ts';

/** Every `step`th, beginning somewhere in the first. */
export function* sampled<T>(all: Iterable<T>, step: number): Generator<T> {
  let at = step >> 1;
  for (const one of all) {
    at += 1;
    if (at % step === 0) yield one;
  }
}

/**
 * Each is found under its name and at its record. What looks like a crash, or like a log that ended earlier, is found with a
 * receipt of the last record. Gives how many there were.
 */
export async function check(sample: Sample, mutations: Iterable<Mutation>, ring: KeyRing): Promise<number> {
  const last = sample.receipts.at(-1);
  const anchor = {
    log: sample.id,
    seq: last?.seq ?? 0,
    hash: last?.hash.slice('sha256:'.length) ?? '',
    from: 'receipt',
  };
  let count = 0;
  for (const { name, expected, seq, segments, anchored: left = 'truncated vs anchor' } of mutations) {
    count += 1;
    const changed = segments();
    const verdict = await verifySegments(sample, changed, { ring });
    assert.equal(calledBy(verdict), expected, name);
    if (verdict.first) assert.equal(verdict.first.seq, seq, `${name}: found at ${JSON.stringify(verdict.first)}`);
    if (expected !== 'torn' && expected !== 'ok') continue;
    const anchored = await verifySegments(sample, changed, { anchors: [anchor], ring });
    assert.equal(calledBy(anchored), left, `${name}, with a receipt`);
  }
  assert.ok(count > 0);
  return count;
}

function calledBy({ status, first }: Verdict): string {
  return first?.class ?? status;
}
