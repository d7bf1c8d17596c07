// A text made to fill what patterns remember: their number of states doubles with each step that they look back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileRegex } from '../../src/scrub/regex.ts';

test('T18: what patterns remember of a text is bounded, whatever the text', () => {
  let state = 7;
  const text = Array.from({ length: 60_000 }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) % 2 === 0 ? 'a' : 'b';
  }).join('');
  const patterns = Array.from({ length: 20 }, (_, at) => compileRegex(`a[ab]{${12 + (at % 3)}}[c-z]`));
  const before = process.memoryUsage().rss;
  for (const pattern of patterns) assert.equal(pattern.test(text), false);
  const grown = (process.memoryUsage().rss - before) / 1024 / 1024;
  assert.ok(grown < 80, `${Math.round(grown)} MB more`);
});
