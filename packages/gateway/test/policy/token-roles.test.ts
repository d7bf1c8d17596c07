// Roles of tokens: what is said of one holds for what was narrowed from it, and never more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { person, policyOf } from './rules-of.ts';

const ROOT = `token:${'a'.repeat(24)}`;
const CHILD = `${ROOT}/${'b'.repeat(24)}`;
const RULES = `roles: { reader: [ { allow: { tools: [read_*] } } ], writer: [ { allow: { tools: [write_*] } } ] }
identities: { "${ROOT}": [reader] }
`;

test('a role that is given to a token is also that of its children, as far as they keep it', async () => {
  const policy = await policyOf(RULES);
  const of = (id: string, more: object = {}) => policy.rolesOf(person('x', { id, ...more }));
  assert.deepEqual(of(ROOT), ['reader']);
  assert.deepEqual(of(CHILD), ['reader']);
  assert.deepEqual(of(CHILD, { restrictions: [{ roles: ['writer'] }] }), []);
  assert.deepEqual(of(`token:${'c'.repeat(24)}`), []);
  assert.deepEqual(of(CHILD, { roles: ['writer'] }), ['writer'], 'roles that it carries take the place of these');
});

test('a role given by hand to a token, likewise', async () => {
  const policy = await policyOf(RULES, { handRole: (id) => (id === ROOT ? 'writer' : undefined) });
  assert.deepEqual(policy.rolesOf(person('x', { id: CHILD })), ['reader', 'writer']);
});
