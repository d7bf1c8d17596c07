import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configOf, problemsOf, withBackend } from './read.ts';

const backend = (more: string) => configOf(withBackend(more)).backends[0];

test('warm, start, idle and sandbox: absent they are absent, given they are what they say', () => {
  const none = backend('');
  assert.deepEqual([none?.warm, none?.start, none?.idleMs, none?.sandbox], Array(4).fill(undefined));
  const all = backend('    warm: 2\n    start: lazy\n    idle: 15m\n    sandbox: strict\n');
  assert.deepEqual([all?.warm, all?.start, all?.idleMs, all?.sandbox], [2, 'lazy', 900_000, 'strict']);
});

test('sandbox: rules one by one, paths relative to the file, sizes as people write them', () => {
  const rules =
    '    sandbox: { tmp: shared, network: false, read: [data, /srv], write: [~/out], memory: 512MiB, files: 64, processes: 8 }\n';
  assert.deepEqual(backend(rules)?.sandbox, {
    tmp: 'shared',
    network: false,
    read: ['/etc/mcp/data', '/srv'],
    write: ['/home/ann/out'],
    memoryBytes: 512 * 1024 * 1024,
    files: 64,
    processes: 8,
  });
  assert.deepEqual(backend('    sandbox: {}\n')?.sandbox, {});
});

for (const [text, expected] of [
  ['warm: 3', /whole number, 0 to 2/],
  ['start: never', /eager or lazy/],
  ['idle: 10ms', /at least 1s/],
  ['idle: 15', /a duration such as/],
  ['sandbox: strictest', /did you mean strict\?/],
  ['sandbox: { network: maybe }', /true or false/],
  ['sandbox: { netwrk: false }', /did you mean network\?/],
  ['sandbox: { memory: 1MiB }', /16777216 to/],
  ['sandbox: { read: }', /or remove the key/],
  ['sandbox:', /or remove the key/],
  ['warm: 1\n    shared: true', /one server serves everybody/],
  ['warm: 1\n    era: modern', /one server serves everybody/],
  ['idle: 5m\n    era: legacy', /belongs to shared: true, or to servers of the modern era/],
] as const) {
  test(`${text.replaceAll(/\s+/g, ' ')} is refused with a reason`, () => {
    assert.match(problemsOf(withBackend(`    ${text}\n`)).join('\n'), expected);
  });
}

test('what only a program on this machine can have is refused for others, with the place where it belongs', () => {
  const share = (more: string) =>
    problemsOf(`backends:\n  - id: far\n    transport: { type: share, share_token: ab1 }\n    ${more}\n`).join('\n');
  assert.match(share('warm: 1'), /belongs to type stdio, not share: say --warm to its bridge/);
  assert.match(share('idle: 5m'), /say --idle to its bridge/);
  assert.match(share('sandbox: strict'), /say --sandbox to its bridge/);
});
