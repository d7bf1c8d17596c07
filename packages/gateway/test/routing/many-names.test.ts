// A sample of test/long/pins.long.ts.

import assert from 'node:assert/strict';
import test from 'node:test';
import { seeded } from '../pins/many-definitions.ts';
import { faultsIn, randomPairs } from './many-names.ts';

test('T05 random pairs of backend and tool: each public name leads to one, none to two, also where case is ignored', () => {
  const random = seeded(5);
  for (const separator of ['__', '_', '-', ':']) {
    for (let round = 0; round < 20; round += 1) assert.deepEqual(faultsIn(randomPairs(100, random), separator), []);
  }
});
