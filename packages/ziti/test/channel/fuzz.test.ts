// ZITI_FUZZ_MS: how long (default 3000). ZITI_FUZZ_INPUTS: how many instead. ZITI_FUZZ_SEED: repeats a run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.ts';

test('mutated frames give messages or errors of ours, and nothing else', (t) => {
  const { ZITI_FUZZ_MS, ZITI_FUZZ_INPUTS, ZITI_FUZZ_SEED } = process.env;
  const seed = Number(ZITI_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
  const until = ZITI_FUZZ_INPUTS ? { inputs: Number(ZITI_FUZZ_INPUTS) } : { ms: Number(ZITI_FUZZ_MS ?? 3000) };
  const { inputs, bytes, messages, errors, ms } = fuzz(seed, until);
  const perSecond = Math.round((inputs / ms) * 1000);
  t.diagnostic(`seed ${seed}: ${inputs} inputs, ${bytes} bytes, ${messages} messages, ${perSecond} inputs/s`);
  t.diagnostic(JSON.stringify(errors));
  // Each kind of refusal is reached, or the mutations are no good.
  if (inputs > 100_000) assert.equal(Object.keys(errors).length, 8, JSON.stringify(errors));
});
