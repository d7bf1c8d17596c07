import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileGlob } from '@mcp-overlay/config';
import fc from 'fast-check';
import { NameIndex } from '../../src/policy/name-index.ts';
import { compileNames } from '../../src/policy/names.ts';

const GLOB = fc
  .array(fc.constantFrom('a', 'b', '*', '?', '[ab]', '\\*', '_'), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join(''));
const NAME = fc
  .array(fc.constantFrom('a', 'b', '_', '*', '\u{1f600}'), { maxLength: 8 })
  .map((parts) => parts.join(''));

test('globs of rules match what the globs of filters match', () => {
  fc.assert(
    fc.property(fc.array(GLOB, { maxLength: 4 }), NAME, (globs, text) => {
      assert.equal(
        compileNames(globs)(text),
        globs.some((glob) => compileGlob(glob)(text)),
        `${JSON.stringify(globs)} ${text}`,
      );
    }),
    { numRuns: 3000 },
  );
});

test('the index of many lists finds those whose globs fit', () => {
  fc.assert(
    fc.property(fc.array(fc.array(GLOB, { maxLength: 3 }), { maxLength: 6 }), NAME, (lists, text) => {
      const expected = [...lists.keys()].filter((at) => compileNames(lists[at] ?? [])(text));
      assert.deepEqual(new NameIndex(lists).fitting(text), expected, `${JSON.stringify(lists)} ${text}`);
    }),
    { numRuns: 3000 },
  );
});

test('a glob of many stars costs no more than its name is long', () => {
  const matches = compileNames([`${'a*'.repeat(100)}b`]);
  const before = performance.now();
  assert.equal(matches('a'.repeat(50_000)), false);
  assert.ok(performance.now() - before < 500);
});
