import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../src/index.ts';
import { configOf, withBackend } from './read.ts';

test('once: absent it is absent; what is set is in milliseconds and bytes', () => {
  assert.equal(configOf(withBackend('')).once, undefined);
  assert.deepEqual(configOf(withBackend('once: { keep: 10m, bytes: 64MiB, durability: commit }\n')).once, {
    keepMs: 600_000,
    bytes: 64 * 1024 * 1024,
    durability: 'commit',
  });
});

test('once: so short or so small that it would keep nothing is refused', () => {
  for (const wrong of ['keep: 10s', 'keep: 30d', 'bytes: 1MiB', 'durability: interval', 'keep: soon']) {
    assert.throws(() => configOf(withBackend(`once: { ${wrong} }\n`)), ConfigError, wrong);
  }
});

test('retry: which tools may run twice is said by the operator, by name', () => {
  const [backend] = configOf(withBackend('    retry: { safe: [read_*, "get_?"] }\n')).backends;
  assert.deepEqual(backend?.mayRunTwice, ['read_*', 'get_?']);
  assert.equal(configOf(withBackend('')).backends[0]?.mayRunTwice, undefined);
  for (const wrong of ['retry: {}', 'retry:', 'retry: safe', 'retry: { safe: ["["] }', 'tools: { retry: [a] }']) {
    assert.throws(() => configOf(withBackend(`    ${wrong}\n`)), ConfigError, wrong);
  }
});
