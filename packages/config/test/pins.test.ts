import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf, withBackend } from './read.ts';

test('pins: absent it is absent; a mode alone is enough; off may be written as YAML 1.1 writes it', () => {
  assert.equal(configOf(withBackend('')).pins, undefined);
  assert.deepEqual(configOf(withBackend('pins: strict\n')).pins, { mode: 'strict' });
  assert.deepEqual(configOf(withBackend('pins: off\n')).pins, { mode: 'off' });
  assert.deepEqual(configOf(withBackend('pins: false\n')).pins, { mode: 'off' });
  assert.deepEqual(configOf(withBackend('pins: {}\n')).pins, { mode: 'first-use' });
  assert.deepEqual(configOf(withBackend('pins: { mode: strict, file: sub/l.lock }\n')).pins, {
    mode: 'strict',
    file: '/etc/mcp/sub/l.lock',
  });
});

test('pins: a backend may have its own mode', () => {
  assert.equal(configOf(withBackend('    pins: off\n')).backends[0]?.pins, 'off');
  assert.equal(configOf(withBackend('')).backends[0]?.pins, undefined);
});
