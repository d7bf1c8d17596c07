import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agree } from './agreement.ts';

test('5,000 random requests under random rules come out as the plainest reading of the rules says', async (t) => {
  const came = await agree(5000, 20261127);
  for (const count of Object.values(came)) assert.ok(count > 200, JSON.stringify(came));
  t.diagnostic(JSON.stringify(came));
});
