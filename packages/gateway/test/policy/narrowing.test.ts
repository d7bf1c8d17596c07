import assert from 'node:assert/strict';
import { test } from 'node:test';
import { narrowAtRandom } from './narrowing.ts';

test('a chain of random narrowings never gives more than its parent (a million of them: npm run test:long narrowing)', async () => {
  const { narrowings, takenAway, stillAllowed } = await narrowAtRandom(6, 2000);
  assert.equal(narrowings, 2000);
  assert.ok(takenAway > 100, `${takenAway} requests were taken away`);
  assert.ok(stillAllowed > 100, `${stillAllowed} were left`);
});
