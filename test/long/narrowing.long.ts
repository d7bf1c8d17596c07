// A million random narrowings of real tokens, asked with rules and without: none gives more than its parent. SEED and COUNT
// choose others; two halves on two processors would be two seeds.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { narrowAtRandom } from '../../packages/gateway/test/policy/narrowing.ts';

const seed = Number(process.env.SEED ?? 2026);
const count = Number(process.env.COUNT ?? 1_000_000);

test(`${count} random narrowings never give more than their parent (seed ${seed})`, async (t) => {
  const tally = await narrowAtRandom(seed, count);
  assert.equal(tally.narrowings, count);
  t.diagnostic(JSON.stringify(tally));
});
