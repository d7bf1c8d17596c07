// `--until`: times as people say them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { momentOf } from '../src/commands/narrow.ts';

const now = new Date(2026, 10, 27, 12, 30);
const at = (text: string): string => new Date(momentOf(text, now)).toISOString();
const local = (...parts: [number, number, number, number, number]): string => new Date(...parts).toISOString();

test('a time of the day, a lifetime, a date', () => {
  assert.equal(at('18:00'), local(2026, 10, 27, 18, 0));
  assert.equal(at('9:05'), local(2026, 10, 28, 9, 5), 'tomorrow, where it is over today');
  assert.equal(at('12:30'), local(2026, 10, 28, 12, 30));
  assert.equal(at('8h'), local(2026, 10, 27, 20, 30));
  assert.equal(at('1d12h'), local(2026, 10, 29, 0, 30));
  assert.equal(at('2026-12-01T18:00Z'), '2026-12-01T18:00:00.000Z');
});

test('what is no time, or over', () => {
  for (const text of ['', '25:00', '12:60', 'tomorrow', '8', '0h', '2026-13-01', '2026-11-27T00:00Z', 'Dec 1']) {
    assert.throws(() => momentOf(text, now), { code: 'usage' }, text);
  }
});
