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

test('whoever leaves a role out of a token, or comes over a view of one role, leaves no refusal behind', async () => {
  const policy = await policyOf(`roles:
  writer: [ { allow: { tools: ["*"] } }, { deny: { tools: [delete_*] } }, { deny: { methods: [sampling/*] } } ]
  admin: [ { allow: { tools: ["*"] } }, { allow: { prompts: [p], when: '!("writer" in identity.roles)' } } ]
  guest: []
identities: { ann: { is: ["ziti:ann"], roles: [writer, admin] } }
views: { admins: { roles: [admin], show: [ { tools: ["*"] } ] } }
`);
  const request = { backend: 'fs', kind: 'tool', name: 'delete_a', args: {} } as const;
  const prompt = { backend: 'fs', kind: 'prompt', name: 'p', args: {} } as const;
  const ann = person('ann');
  const narrowed = person('ann', { restrictions: [{ roles: ['admin'] }] });
  const twice = person('ann', { restrictions: [{ roles: ['admin', 'guest'] }, { roles: ['admin'] }] });
  for (const who of [ann, narrowed, twice]) {
    const { allow, rule } = policy.decide(who, request);
    assert.deepEqual([allow, rule], [false, 'writer/2']);
    assert.equal(policy.decide(who, prompt).allow, false, 'nor does a condition find him without it');
    assert.equal(policy.mayAsk(who, 'fs', 'sampling/createMessage'), false);
    assert.equal(policy.decide(who, { ...request, name: 'read_a' }).allow, true);
  }
  assert.deepEqual(policy.rolesOf(narrowed), ['admin']);
  assert.equal(policy.through('admins').decide(ann, request).allow, false);
  assert.equal(policy.through('admins').decide(ann, { ...request, name: 'read_a' }).allow, true);
  const said = policy.explain(narrowed, request).map(({ rule, fits }) => [rule, fits]);
  assert.deepEqual(said, [
    ['writer/1', true],
    ['writer/2', true],
    ['admin/1', true],
  ]);
});
