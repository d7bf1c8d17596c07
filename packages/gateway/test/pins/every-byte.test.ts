// A sample of test/long/pins.long.ts.

import assert from 'node:assert/strict';
import test from 'node:test';
import { changeEveryByte, definitions, seeded } from './many-definitions.ts';

test('T03 every change of a byte in 100 definitions is hidden, no unchanged one is', () => {
  const random = seeded(7);
  const { wrong, hidden } = changeEveryByte(definitions(100, random), random, 3);
  assert.deepEqual(wrong, []);
  assert.ok(hidden > 1500, `${hidden}`);
});
