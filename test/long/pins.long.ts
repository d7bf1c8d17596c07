// T03 and T05 at their full counts; samples run in npm test (packages/gateway/test/pins, routing).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { definitionOf } from '../../packages/gateway/src/pins/definition.ts';
import { changeEveryByte, definitions, seeded } from '../../packages/gateway/test/pins/many-definitions.ts';
import { faultsIn, randomPairs } from '../../packages/gateway/test/routing/many-names.ts';

const SEED = 20261127;

test('T03 every one-byte change in 10,000 tool definitions is hidden, 0 unchanged ones are', (t) => {
  const random = seeded(SEED);
  const { wrong, hidden, same, other } = changeEveryByte(definitions(10_000, random), random, 1);
  t.diagnostic(`seed ${SEED}: ${hidden} changes hidden, ${same} spelled otherwise and served, ${other} no such tool`);
  assert.deepEqual(wrong.slice(0, 5), []);
  assert.ok(hidden > 1_000_000);
});

test('T05 100,000 random pairs of backend and tool: the map stays injective', (t) => {
  const random = seeded(SEED);
  t.diagnostic(`seed ${SEED}`);
  for (const separator of ['__', '_', '-', ':']) {
    assert.deepEqual(faultsIn(randomPairs(100_000, random), separator).slice(0, 5), []);
  }
});

test('a definition is hashed in microseconds', (t) => {
  const items = definitions(10_000, seeded(SEED));
  const since = performance.now();
  for (const item of items) definitionOf(item);
  t.diagnostic(`${(((performance.now() - since) * 1000) / items.length).toFixed(1)} µs a definition`);
});
