// A restriction as a stranger writes it: what is taken, and what each other thing is refused with.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRestriction } from '../../src/access/restriction.ts';

function code(value: unknown): string {
  try {
    readRestriction(value);
    return 'fine';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('patterns: stars, question marks, escaped characters, and no sets', () => {
  for (const fine of ['a*', '?', '\\[x\\]', '\\\\', 'é😀']) assert.equal(code({ tools: [fine] }), 'fine', fine);
  for (const bad of ['', 'a\\', '[ab]', 'a]']) assert.equal(code({ tools: [bad] }), 'access_malformed', bad);
});

test('any JSON is taken or refused with a code', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.match(code(value), /^(fine|access_\w+)$/)));
});

test('a restriction of a stranger: unknown words refuse, sizes are capped, forms are checked', () => {
  assert.equal(code({ tools: ['read_*'], backends: [], roles: ['reader'] }), 'fine');
  assert.equal(code({ tools: ['a'], weekdays: ['mon'] }), 'access_restriction_unknown');
  assert.equal(code({ 'x\u001b[2J': [] }), 'access_restriction_unknown');
  for (const value of [null, [], 'x', { tools: 'a' }, { tools: [1] }, { tools: ['[a]'] }, { roles: ['a b'] }]) {
    assert.equal(code(value), 'access_malformed', JSON.stringify(value));
  }
  assert.equal(code({ tools: Array(65).fill('a') }), 'access_too_large');
  assert.equal(code({ tools: ['a'.repeat(257)] }), 'access_too_large');
});
