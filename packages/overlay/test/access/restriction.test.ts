import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { globMatches, globRefusal } from '../../src/access/glob.ts';
import { type RestrictedKind, readRestriction, restrictionsAllow, rolesWithin } from '../../src/access/restriction.ts';
import type { Restriction } from '../../src/proof/principal.ts';

function allows(restrictions: readonly Restriction[] | undefined, ...asked: [string, RestrictedKind, string]): boolean {
  return restrictionsAllow(restrictions === undefined ? {} : { restrictions }, ...asked);
}

test('who carries no restriction is held back by none', () => {
  assert.equal(allows(undefined, 'fs', 'tool', 'read'), true);
  assert.equal(allows([], 'fs', 'method', 'anything'), true);
});

test('what is named passes, and nothing of the other kinds', () => {
  const tools = [{ tools: ['read_*'] }];
  assert.equal(allows(tools, 'fs', 'tool', 'read_file'), true);
  assert.equal(allows(tools, 'fs', 'tool', 'write_file'), false);
  assert.equal(allows(tools, 'fs', 'prompt', 'read_file'), false);
  assert.equal(allows(tools, 'fs', 'resource', 'read_file'), false);
  assert.equal(allows(tools, 'fs', 'method', 'read_file'), false);
  assert.equal(allows(tools, 'fs', 'task', 't1'), true);
  assert.equal(allows([{ prompts: ['*'] }], 'fs', 'task', 't1'), false);
  assert.equal(allows([{ tools: [] }], 'fs', 'task', 't1'), false);
  assert.equal(allows([{ prompts: ['ask'] }], 'fs', 'prompt', 'ask'), true);
  assert.equal(allows([{ resources: ['file:///a/*'] }], 'fs', 'resource', 'file:///a/b'), true);
  assert.equal(allows([{ backends: ['f*'] }], 'fs', 'prompt', 'any'), true);
  assert.equal(allows([{ backends: ['f*'] }], 'db', 'tool', 'any'), false);
  assert.equal(allows([{ backends: [] }], 'fs', 'tool', 'any'), false);
  assert.equal(allows([{ tools: [] }], 'fs', 'tool', 'any'), false);
  assert.equal(allows([{ roles: ['reader'] }], 'fs', 'tool', 'any'), true);
});

test('every one of several has to let it through', () => {
  const both = [{ tools: ['read_*', 'list'] }, { tools: ['*_file'] }];
  assert.equal(allows(both, 'fs', 'tool', 'read_file'), true);
  assert.equal(allows(both, 'fs', 'tool', 'list'), false);
  assert.equal(allows([{ tools: ['*'] }, { prompts: ['*'] }], 'fs', 'tool', 'list'), false);
});

test('roles are what the token and everybody who narrowed it left', () => {
  assert.deepEqual(rolesWithin(['a', 'b', 'c'], {}), ['a', 'b', 'c']);
  assert.deepEqual(rolesWithin(['a', 'b'], { restrictions: [{ roles: ['b', 'c'] }, { tools: ['*'] }] }), ['b']);
  assert.deepEqual(rolesWithin(['a'], { restrictions: [{ roles: [] }] }), []);
});

test('patterns: *, ? and the escaped character', () => {
  const rows: [string, string, boolean][] = [
    ['*', '', true],
    ['read_*', 'read_', true],
    ['?', 'é', true],
    ['?', '😀', true],
    ['?', '', false],
    ['a*b*c', 'aXbYbZc', true],
    ['a*b*c', 'aXbY', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['a\\?', 'a?', true],
    ['', '', true],
    ['x', '', false],
  ];
  for (const [pattern, text, expected] of rows)
    assert.equal(globMatches(pattern, text), expected, `${pattern} ${text}`);
  assert.deepEqual(
    ['a*', '\\[x\\]', '', 'a\\', '[ab]', 'a]'].map((one) => globRefusal(one) === undefined),
    [true, true, false, false, false, false],
  );
});

test('a pattern made of a text by stars and question marks matches it', () => {
  const char = fc.constantFrom('a', 'b', '*', '?', '\\', 'ü');
  fc.assert(
    fc.property(fc.array(fc.tuple(char, fc.integer({ min: 0, max: 2 }))), (parts) => {
      const text = parts.map(([one]) => one).join('');
      const pattern = parts.map(([one, how]) => (how === 0 ? '*' : how === 1 ? '?' : `\\${one}`)).join('');
      assert.equal(globMatches(pattern, text), true);
      if (parts.length > 0 && !pattern.includes('*')) assert.equal(globMatches(pattern, `${text}z`), false);
    }),
  );
});

test('a hostile pattern takes no longer than its length times that of the name', () => {
  const began = performance.now();
  assert.equal(globMatches(`${'*a'.repeat(127)}*b`, 'a'.repeat(20_000)), false);
  assert.ok(performance.now() - began < 2000);
});

test('a restriction of a stranger: unknown words refuse, sizes are capped, forms are checked', () => {
  const code = (value: unknown): string => {
    try {
      readRestriction(value);
      return 'fine';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  assert.equal(code({ tools: ['read_*'], backends: [], roles: ['reader'] }), 'fine');
  assert.equal(code({ tools: ['a'], weekdays: ['mon'] }), 'access_restriction_unknown');
  assert.equal(code({ 'x\u001b[2J': [] }), 'access_restriction_unknown');
  for (const value of [null, [], 'x', { tools: 'a' }, { tools: [1] }, { tools: ['[a]'] }, { roles: ['a b'] }]) {
    assert.equal(code(value), 'access_malformed', JSON.stringify(value));
  }
  assert.equal(code({ tools: Array(65).fill('a') }), 'access_too_large');
  assert.equal(code({ tools: ['a'.repeat(257)] }), 'access_too_large');
});
