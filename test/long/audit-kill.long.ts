// T17, all of it: a writer killed ten thousand times, several logs at once. Another seed: SEED=7.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killOverAndOver } from '../../packages/gateway/test/audit/killing.ts';

const SEED = Number(process.env.SEED ?? 1);
const KILLS = Number(process.env.KILLS ?? 10_000);
/** Most of a kill is waiting, for a program to start and for a disk. */
const LANES = Number(process.env.LANES ?? 4);

for (const [at, durability] of (['commit', 'os'] as const).entries()) {
  test(`T17: ${KILLS / 2} kills, durability ${durability}, seed ${SEED}`, async (t) => {
    const { kills, acknowledged, torn } = await killOverAndOver(KILLS / 2, durability, SEED + at, LANES);
    t.diagnostic(`${kills} kills, ${acknowledged} records acknowledged, ${torn} torn ends, no false alarm, none lost`);
    assert.equal(kills, KILLS / 2);
  });
}
