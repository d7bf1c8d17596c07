import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, OWNER, person, policyOf, UNPROVEN } from './rules-of.ts';

const TEAM = `
roles:
  reader: [ { allow: { backend: fs, tools: [read_*] } } ]
  writer: [ { allow: { backends: [fs, db], tools: ["*"] } }, { deny: { tools: ["*delete*"] } } ]
  late: [ { deny: { tools: [write_file] } }, { allow: { backend: fs, tools: [write_file] } } ]
identities:
  alice: { is: ["ziti:alice", "spiffe://corp/alice"], roles: [reader] }
  "ziti:bob": [writer]
  "group:engineers": [writer]
  owner: [reader]
  network: []
  unproven: []
`;

test('nothing is allowed that no rule of the caller allows', async () => {
  const policy = await policyOf(TEAM);
  assert.equal(policy.decide(person('alice'), call('fs', 'read_file')).rule, 'reader/1');
  for (const [who, request] of [
    [person('alice'), call('fs', 'write_file')],
    [person('alice'), call('db', 'read_file')],
    [person('carol'), call('fs', 'read_file')],
    [person('alice'), call('fs', 'read_file', {}, 'prompt')],
    [person('alice'), call('fs', 'anything/else', {}, 'method')],
  ] as const) {
    const { allow, rule } = policy.decide(who, request);
    assert.deepEqual({ allow, rule }, { allow: false, rule: 'default' });
  }
});

test('a refusal beats every allowance, whichever stands first', async () => {
  const policy = await policyOf(TEAM);
  const decision = policy.decide(person('bob'), call('db', 'table_delete_all'));
  assert.deepEqual([decision.allow, decision.rule, decision.role], [false, 'writer/2', 'writer']);
  const late = await policyOf(`${TEAM}  "ziti:dora": [late]\n`);
  assert.equal(late.decide(person('dora'), call('fs', 'write_file')).allow, false);
});

test('somebody is found by id, by another id of his, by a group, as owner; never by what he calls himself', async () => {
  const policy = await policyOf(TEAM);
  assert.deepEqual(policy.rolesOf({ ...person('x'), id: 'spiffe://corp/alice' }), ['reader']);
  assert.deepEqual(policy.rolesOf(person('x', { groups: ['engineers'] })), ['writer']);
  assert.deepEqual(policy.rolesOf(OWNER), ['reader']);
  assert.deepEqual(policy.rolesOf(person('x', { owner: true })), ['reader']);
  assert.deepEqual(policy.rolesOf(UNPROVEN), []);
  assert.deepEqual(policy.rolesOf({ ...UNPROVEN, id: 'ziti:bob', groups: ['engineers'] }), []);
});

test("a token's roles take the place of the configured ones, and roles given by hand are added", async () => {
  const policy = await policyOf(TEAM, { handRole: (id) => (id === 'ziti:alice' ? 'writer' : undefined) });
  assert.deepEqual(policy.rolesOf(person('alice')), ['reader', 'writer']);
  assert.deepEqual(policy.rolesOf(person('alice', { roles: ['late', 'nonsense'] })), ['late']);
  assert.deepEqual(policy.rolesOf(person('bob', { roles: [] })), []);
});

test('restrictions of a token narrow what rules allow, each of them', async () => {
  const policy = await policyOf(TEAM);
  const may = (restrictions: object[], request = call('fs', 'read_file')): boolean =>
    policy.decide(person('bob', { restrictions }), request).allow;
  assert.equal(may([{ backends: ['fs'] }, { tools: ['read_*'] }]), true);
  assert.equal(may([{ backends: ['fs'] }, { tools: ['write_*'] }]), false);
  assert.equal(may([{ backends: [] }]), false);
  assert.equal(may([{ prompts: ['*'] }]), false);
  assert.equal(may([{ roles: ['reader'] }]), false);
  assert.equal(may([{ roles: ['reader', 'writer'] }]), true);
});

test('lists hide what no arguments could make allowed, and show what some can', async () => {
  const policy = await policyOf(`
roles:
  r:
    - allow: { backend: fs, tools: [a, b, c], args: { x: { enum: [1] } } }
    - deny: { tools: [b] }
    - deny: { tools: [c], args: { x: { enum: [1] } } }
    - allow: { backend: fs, tools: [d], args: { x: { enum: [] } } }
identities: { "ziti:a": [r] }
`);
  const shown = ['a', 'b', 'c', 'd', 'e'].filter(
    (name) => policy.decide(person('a'), { backend: 'fs', kind: 'tool', name }).allow,
  );
  assert.deepEqual(shown, ['a', 'c']);
  const refused = policy.decide(person('a'), call('fs', 'a', { x: 2 }));
  assert.deepEqual([refused.allow, refused.argument], [false, ['x']]);
  assert.match(refused.why ?? '', /argument x does not fit rule r\/1: expected one of the listed values/);
});

test('a rule that is not enforced lets through what it would have stopped, and says so', async () => {
  const policy = await policyOf(`
roles:
  r:
    - { allow: { backend: fs, tools: ["*"] } }
    - { deny: { tools: [rm] }, enforce: false }
    - { allow: { backend: db, tools: [query], args: { q: { max_bytes: 3 } } }, enforce: false }
identities: { "ziti:a": [r] }
`);
  const said = (backend: string, name: string, args = {}): unknown[] => {
    const { allow, rule, shadow } = policy.decide(person('a'), call(backend, name, args));
    return [allow, rule, shadow];
  };
  assert.deepEqual(said('fs', 'ls'), [true, 'r/1', undefined]);
  assert.deepEqual(said('fs', 'rm'), [true, 'r/2', true]);
  assert.deepEqual(said('db', 'query', { q: 'abc' }), [true, 'r/3', undefined]);
  assert.deepEqual(said('db', 'query', { q: 'abcd' }), [true, 'default', true]);
  assert.deepEqual(said('db', 'other'), [false, 'default', undefined]);
});

test('enforce: false lets everything through but what a token itself does not reach', async () => {
  const policy = await policyOf(`enforce: false\n${TEAM}`);
  const decision = policy.decide(person('carol'), call('db', 'drop'));
  assert.deepEqual([decision.allow, decision.shadow, decision.rule], [true, true, 'default']);
  assert.equal(policy.decide(person('carol', { restrictions: [{ tools: ['x'] }] }), call('db', 'drop')).allow, false);
});

test('without rules everything passes but what a token itself restricts', async () => {
  const policy = await policyOf('');
  assert.equal(policy.decide(OWNER, call('fs', 'x')).allow, true);
  assert.equal(policy.decide(person('t', { restrictions: [{ tools: ['read_*'] }] }), call('fs', 'x')).allow, false);
  assert.equal(policy.decide(person('t', { roles: ['reader'] }), call('fs', 'x')).allow, false);
});
