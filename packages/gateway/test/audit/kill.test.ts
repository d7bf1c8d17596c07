// T17: a writer that is killed, a few times; ten thousand times in test/long/audit-kill.long.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { killOverAndOver } from './killing.ts';

for (const durability of ['commit', 'os'] as const) {
  test(`T17: killed at any moment a log looks neither changed nor short (${durability})`, async (t) => {
    const { kills, acknowledged, torn } = await killOverAndOver(25, durability, 17);
    t.diagnostic(`${kills} kills, ${acknowledged} records acknowledged, ${torn} torn ends`);
    assert.ok(acknowledged > 0);
  });
}
