import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { escapeGlob, globProblem, MAX_GLOB_CHARS } from '../src/glob.ts';
import { compileGlob } from '../src/index.ts';

const yes: readonly (readonly [string, string])[] = [
  ['read_file', 'read_file'],
  ['*', ''],
  ['*', 'any/thing'],
  ['read_*', 'read_'],
  ['*file', 'write_file'],
  ['a*b*c', 'aXbXbc'],
  ['a?c', 'abc'],
  ['?', '😀'],
  ['[a-c]x', 'bx'],
  ['[!a-c]x', 'dx'],
  ['[^a-c]x', 'dx'],
  ['[ab\\]]', ']'],
  ['[a\\-c]', '-'],
  ['\\*', '*'],
  ['**', 'x'],
];
const no: readonly (readonly [string, string])[] = [
  ['read_file', 'read_files'],
  ['read_file', 'Read_file'],
  ['a?c', 'ac'],
  ['[a-c]x', 'dx'],
  ['[!a-c]x', 'bx'],
  ['\\*', 'x'],
  ['a*b', 'ac'],
  ['a.c', 'abc'],
  ['[a\\-c]', 'b'],
];

test('patterns match what they say and nothing else', () => {
  for (const [pattern, name] of yes) assert.equal(compileGlob(pattern)(name), true, `${pattern} ${name}`);
  for (const [pattern, name] of no) assert.equal(compileGlob(pattern)(name), false, `${pattern} ${name}`);
});

test('a malformed pattern is refused with what is wrong', () => {
  assert.deepEqual(['', '[', '[a', '[]', '[!]', '[z-a]', '[a-]', '[a-', 'a\\', '[\\'].map(globProblem), [
    'it is empty',
    'a [ has no ]',
    'a [ has no ]',
    'a [ ] is empty',
    'a [ ] is empty',
    'a range in [ ] runs backwards',
    'a range in [ ] has no end; write \\- for the character -',
    'a [ has no ]',
    'nothing follows the last \\',
    'a [ has no ]',
  ]);
  assert.throws(() => compileGlob('[a'), TypeError);
  assert.equal(globProblem('x'.repeat(MAX_GLOB_CHARS)), undefined);
  assert.equal(globProblem('x'.repeat(MAX_GLOB_CHARS + 1)), 'it is longer than 256 characters');
});

test('an escaped text matches itself and nothing near it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), (name) => {
      const matches = compileGlob(escapeGlob(name));
      assert.ok(matches(name));
      assert.ok(!matches(`${name}x`));
      assert.ok(!matches(`x${name}`));
    }),
  );
});

test('a pattern agrees with the regular expression that means the same', () => {
  const piece = fc.constantFrom('*', '?', 'a', 'b', '[ab]', '[!a]');
  const toSource = (one: string): string => ({ '*': '.*', '?': '.', '[!a]': '[^a]' })[one] ?? one;
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), name, (pieces, text) => {
      const expected = new RegExp(`^${pieces.map(toSource).join('')}$`, 's').test(text);
      assert.equal(compileGlob(pieces.join(''))(text), expected);
    }),
    { numRuns: process.env.TEST_LONG ? 200_000 : 5000 },
  );
});

test('a pattern of nothing but stars and hopes ends: steps grow with the name, not with its powers', () => {
  const matches = compileGlob(`${'*a'.repeat(120)}*b`);
  assert.equal(matches('a'.repeat(200_000)), false);
});
