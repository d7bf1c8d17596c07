import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf, withBackend } from './read.ts';

test('reload: absent it is absent; what is left out is watched, and a quarter of an hour', () => {
  assert.equal(configOf(withBackend('')).reload, undefined);
  assert.deepEqual(configOf(withBackend('reload: {}\n')).reload, { watch: true, maxDrainMs: 900_000 });
  assert.deepEqual(configOf(withBackend('reload: { watch: false, max_drain: 90s }\n')).reload, {
    watch: false,
    maxDrainMs: 90_000,
  });
});

test('reload: no other keys, and no time that is none', () => {
  assert.throws(() => configOf(withBackend('reload: { drain: 1m }\n')), { code: 'config_invalid' });
  assert.throws(() => configOf(withBackend('reload: { max_drain: 0s }\n')), /reload\.max_drain: expected a duration/);
});
