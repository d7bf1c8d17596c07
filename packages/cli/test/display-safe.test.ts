import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { displaySafe, displaySafeJson, displaySafeLines } from '../src/index.ts';
import { prettyLine } from '../src/pretty.ts';

/** Sequences of ECMA-48 and xterm that move, hide, retitle, link, answer back or fill the clipboard. */
const ATTACKS = [
  '\x1b[31mred',
  '\x1b[2J\x1b[H',
  '\x1b[8mhidden\x1b[0m',
  '\x1b]0;title\x07',
  '\x1b]8;;https://evil.example\x1b\\text\x1b]8;;\x1b\\',
  '\x1b]52;c;ZXZpbA==\x07',
  '\x1bP$q"p\x1b\\',
  '\x9b31m',
  '\x9d0;title\x9c',
  '\x1bc',
  '\b\b\b',
  '\r\x1b[K',
];
const STEERS = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u;

test('T27: nothing that steers a terminal, turns its reading direction or shows as nothing is written as it is', () => {
  for (const attack of ATTACKS) {
    assert.doesNotMatch(displaySafe(attack), /[\x00-\x1f\x7f-\x9f]/, JSON.stringify(attack));
    assert.doesNotMatch(displaySafeLines(attack), STEERS);
  }
  assert.equal(displaySafe('a\u202eb'), 'a<U+202E>b');
  assert.equal(displaySafe('\u{e0041}\u200b\u2066\u3164\ud800'), '<U+E0041><U+200B><U+2066><U+3164><U+D800>');
  assert.equal(displaySafe('x\u{e0101}\ufe0f\ufe0f'), 'x<U+E0101>\ufe0f<U+FE0F>');
});

test('T27: what people write stays as it is', () => {
  for (const text of ['grüße, 世界', 'فارسی', '⚠️ careful', 'naïve', 'a  b', '', '🙂'])
    assert.equal(displaySafe(text), text);
  assert.equal(displaySafeLines('a\nb'), 'a\nb');
  assert.equal(displaySafe('a\nb'), 'a<U+000A>b');
});

test('T26, T27: a line of the log holds one record, whatever a server wrote, and its values survive', () => {
  const forged = 'ok\n{"level":30,"msg":"forged"}\u2028\u0085\x1b[31m\u202e';
  const json = displaySafeJson(JSON.stringify({ line: forged }));
  assert.doesNotMatch(json, /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202e]/);
  assert.deepEqual(JSON.parse(json), { line: forged });
  const pretty = prettyLine(JSON.stringify({ level: 30, time: '2026-01-02T03:04:05.678Z', msg: forged, line: forged }));
  assert.equal(pretty.split('\n').length, 2);
  assert.doesNotMatch(pretty, STEERS);
});

test('T27: any text at all comes out safe, and JSON stays the same value', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.doesNotMatch(displaySafe(text), /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      assert.deepEqual(JSON.parse(displaySafeJson(JSON.stringify([text]))), [text]);
    }),
  );
});
