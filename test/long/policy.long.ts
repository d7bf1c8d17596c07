// 200,000 random requests under random rules, against the plainest reading of the rules.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agree } from '../../packages/gateway/test/policy/agreement.ts';

const COUNT = 200_000;
const SEED = Number(process.env.SEED ?? 20261127);

test(`${COUNT} random requests under random rules, seed ${SEED}`, async (t) => {
  const came = await agree(COUNT, SEED);
  for (const count of Object.values(came)) assert.ok(count > 5000, JSON.stringify(came));
  t.diagnostic(`${JSON.stringify(came)}, seed ${SEED}`);
});
