// The small readers: durations, sizes, the nearest word, the JSON of clients.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { openReport } from '../src/errors.ts';
import { readJson } from '../src/json.ts';
import { editDistance, nearest } from '../src/nearest.ts';
import type { Node } from '../src/node.ts';
import { parseDuration, parseSize } from '../src/units.ts';

test('durations are read to the millisecond', () => {
  const read = ['30s', '500ms', '1m30s', '2h', '1.5s', '0.4ms', '596h', '1h1ms'].map(parseDuration);
  assert.deepEqual(read, [30_000, 500, 90_000, 7_200_000, 1500, undefined, 2_145_600_000, 3_600_001]);
  for (const text of ['', '30', 's', '-1s', '1 s', '1S', '1d', '0s', '597h', '1e3s', '1s ', '٣s', '1..5s']) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

test('sizes are read to the byte', () => {
  assert.deepEqual(['1', '2KiB', '3 MiB', '4B', '1MB', '-1', '1.5MiB', ''].map(parseSize), [
    1,
    2048,
    3 * 1024 * 1024,
    4,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test('the nearest known word is one slip away, and a stranger has none', () => {
  const known = ['command', 'args', 'env', 'working_dir', 'share_token'];
  const guess = ['comand', 'commnad', 'ARGS', 'workingDir', 'share-tokn', 'evn', 'zzz', 'x'.repeat(100)].map((word) =>
    nearest(word, known),
  );
  assert.deepEqual(guess, ['command', 'command', 'args', 'working_dir', 'share_token', 'env', undefined, undefined]);
});

test('edit distance is a distance', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      assert.equal(editDistance(a, b), editDistance(b, a));
      assert.equal(editDistance(a, b) === 0, a === b);
      assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
    }),
  );
});

test('JSON is read as JSON.parse reads it, and refused where it refuses', () => {
  const check = (text: string): void => {
    const report = openReport('f.json');
    const node = readJson(text, report);
    let expected: unknown;
    try {
      expected = JSON.parse(text);
    } catch {
      assert.equal(node, undefined, text);
      assert.ok(report.failed());
      return;
    }
    assert.ok(node, text);
    assert.deepEqual(plain(node), expected);
  };
  const noCopies = (value: unknown): boolean => !JSON.stringify(value).includes('"__proto__"');
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }).filter(noCopies), (value) => check(JSON.stringify(value, null, 1))),
  );
  const scrap = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    '"a"',
    '1',
    '-',
    '.5',
    'e3',
    'true',
    'nul',
    '\\',
    '\\u00',
    ' ',
    '\t',
    '\u0001',
  );
  fc.assert(
    fc.property(fc.array(scrap, { maxLength: 8 }), (parts) => check(parts.join(''))),
    { numRuns: process.env.TEST_LONG ? 200_000 : 5000 },
  );
});

test('comments and a last comma are taken, with the places right after them', () => {
  const report = openReport('f.json');
  const node = readJson('// one\n/* two\n three */ { "a": [1, 2,], /* x */\n "b": {"c": null,}, }\n// end', report);
  assert.ok(node?.kind === 'map');
  assert.deepEqual(plain(node), { a: [1, 2], b: { c: null } });
  assert.deepEqual(node.at, { line: 3, col: 11 });
  assert.deepEqual(node.entries.get('b')?.at, { line: 4, col: 2 });
});

test('a comment without end and commas without values are refused', () => {
  for (const text of ['{} /* x', '[,]', '{,}', '[1,,2]', '{"a":1,,}', '{"a"}', '[1 2]', '{} {}']) {
    const report = openReport('f.json');
    readJson(text, report);
    assert.ok(report.failed(), text);
  }
});

function plain(node: Node): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, plain(value)]));
}
