// Rules in a file: what is wrong with them is said where it stands.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGatewayConfig } from '../src/index.ts';
import { problemsOf } from './read.ts';

const BACKENDS =
  'backends: [ { id: fs, transport: { type: share, share_token: ab1 } }, { id: db-1, transport: { type: share, share_token: ab2 } } ]\n';

const CASES: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'a backend that nobody has',
    'roles: { r: [ { allow: { backend: fd, tools: ["*"] } } ] }',
    ['g.yml:2:35: roles.r[0].allow.backend: unknown backend "fd"; did you mean fs?'],
  ],
  [
    'a pattern that no backend fits',
    'roles: { r: [ { allow: { backends: ["x*"], tools: ["*"] } } ] }',
    ['g.yml:2:37: roles.r[0].allow.backends[0]: no backend fits "x*"; there are: fs, db-1'],
  ],
  [
    'a bad glob',
    'roles: { r: [ { allow: { tools: ["a["] } } ] }',
    ['g.yml:2:34: roles.r[0].allow.tools[0]: expected a pattern (got "a["); a [ has no ]'],
  ],
  [
    'a rule that allows and refuses',
    'roles: { r: [ { allow: { tools: [a] }, deny: { tools: [b] } } ] }',
    ['g.yml:2:15: roles.r[0]: expected one of allow and deny'],
  ],
  [
    'a rule about nothing',
    'roles: { r: [ { allow: {} } ] }',
    ['g.yml:2:24: roles.r[0].allow: expected what it is about; tools: ["*"] for every tool'],
  ],
  [
    'a rule without a value',
    'roles: { r: [ { allow: } ] }',
    [
      'g.yml:2:17: roles.r[0].allow: expected a mapping (got nothing); or remove the key',
      'g.yml:2:15: roles.r[0]: expected one of allow and deny',
    ].sort(),
  ],
  [
    'an unknown key of a rule',
    'roles: { r: [ { allow: { tolls: [a] } } ] }',
    ['g.yml:2:26: roles.r[0].allow.tolls: unknown key; did you mean tools?'],
  ],
  [
    'enforce in the wrong place',
    'roles: { r: [ { allow: { tools: [a], enforce: false } } ] }',
    ['g.yml:2:38: roles.r[0].allow.enforce: unknown key; enforce belongs under the rule, beside allow or deny'],
  ],
  [
    'tools beside allow',
    'roles: { r: [ { tools: [a] } ] }',
    [
      'g.yml:2:17: roles.r[0].tools: unknown key; tools belongs under allow or deny',
      'g.yml:2:15: roles.r[0]: expected one of allow and deny',
    ].sort(),
  ],
  [
    'an unknown matcher',
    'roles: { r: [ { allow: { tools: [a], args: { x: { patern: a } } } } ] }',
    [
      'g.yml:2:51: roles.r[0].allow.args.x.patern: unknown key; did you mean pattern?',
      'g.yml:2:49: roles.r[0].allow.args.x: expected what it must be; any: true lets everything through',
    ].sort(),
  ],
  [
    'an argument that says nothing',
    'roles: { r: [ { allow: { tools: [a], args: { x: } } } ] }',
    ['g.yml:2:46: roles.r[0].allow.args.x: expected a mapping of what it must be, or any: true (got nothing)'],
  ],
  [
    'arguments of a resource',
    'roles: { r: [ { allow: { resources: [a], args: { x: { any: true } } } } ] }',
    ['g.yml:2:42: roles.r[0].allow.args: belongs to a rule of tools or prompts, and of nothing else'],
  ],
  [
    'another dialect',
    'roles: { r: [ { allow: { tools: [a], args: { x: { sql: { dialect: mysql } } } } } ] }',
    ['g.yml:2:67: roles.r[0].allow.args.x.sql.dialect: expected postgres (got "mysql")'],
  ],
  [
    'an unknown role',
    'roles: { reader: [] }\nidentities: { "ziti:a": [readr] }',
    ['g.yml:3:26: identities."ziti:a"[0]: unknown role "readr"; did you mean reader?'],
  ],
  [
    'a nickname of nobody',
    'roles: { r: [] }\nidentities: { alice: [r] }',
    [
      'g.yml:3:15: identities.alice: "alice" is a nickname: expected who it is; write alice: { is: ["ziti:…"], roles: [...] }',
    ],
  ],
  [
    'somebody who can prove nothing',
    'roles: { r: [] }\nidentities: { alice: { is: [alice@example.com], roles: [r] } }',
    [
      'g.yml:3:29: identities.alice.is[0]: expected a principal id (ziti:…, spiffe://…, x509:…, token:…, jwt:…), group:NAME, owner, network or unproven (got "alice@example.com"); as mcp-gateway peers and mcp-tools status show it',
    ],
  ],
  [
    'identities without rules',
    'identities: { owner: [r] }',
    ['g.yml:2:1: identities: says nothing without roles; add roles, or remove the key'],
  ],
  [
    'a view for nobody',
    'roles: { r: [] }\nviews: { v: { show: [ { tools: [a] } ] } }',
    ['g.yml:3:10: views.v: expected roles, a share, or both'],
  ],
  [
    'two views with one share',
    'roles: { r: [] }\nviews: { v: { show: [], share: { token: abc } }, w: { show: [], share: { token: abc } } }',
    ['g.yml:3:65: views.w.share: view v has this share already'],
  ],
  [
    'a view with the share of the gateway',
    'share: { token: abc }\nroles: { r: [] }\nviews: { v: { show: [], share: { token: abc } } }',
    ['g.yml:4:25: views.v.share: this is the share of the gateway itself'],
  ],
  [
    'two rules with one id',
    'roles: { r: [ { id: a, allow: { tools: [a] } }, { id: a, deny: { tools: [b] } } ] }',
    ['g.yml:2:51: roles.r[1].id: "r/a" is used twice'],
  ],
];

for (const [title, lines, problems] of CASES) {
  test(`rules: ${title} is refused in these words`, () => {
    const found = problemsOf(`${BACKENDS}${lines}\n`, 'g.yml');
    assert.deepEqual([...found].sort(), [...problems].sort());
  });
}

test('rules: what a file says is read as it is meant', () => {
  const { config, notes } = parseGatewayConfig(
    `${BACKENDS}
enforce: false
roles:
  reader:
    - allow: { backend: fs, tools: [read_*], args: { path: { path: { under: [/data] } }, note: { any: true, optional: true } }, additional: allow }
    - { id: no-delete, deny: { tools: ["*delete*"] }, enforce: false }
    - allow: { backends: [db-1], tools: [q], args: { sql: { sql: { dialect: postgres, tables: [Orders], functions: [safe, My_Fn] } } } }
  nobody: [ { allow: { tools: [] } } ]
identities: { alice: { is: ["ziti:a", "group:eng"], roles: [reader] }, owner: [reader, nobody], unproven: [] }
views: { calm: { roles: [reader], show: [ { tools: [read_*] } ], share: { token: my-calm } } }
`,
    { file: 'g.yml', env: {}, cwd: '/' },
  );
  const { policy } = config;
  assert.ok(policy);
  assert.equal(policy.enforce, false);
  const rules = policy.roles.get('reader') ?? [];
  assert.deepEqual(
    rules.map(({ id, effect, enforce, backends }) => [id, effect, enforce, backends]),
    [
      ['reader/1', 'allow', true, ['fs']],
      ['reader/no-delete', 'deny', false, undefined],
      ['reader/3', 'allow', true, ['db-1']],
    ],
  );
  assert.deepEqual([rules[0]?.args?.additional, rules[0]?.args?.named.get('note')?.optional], [true, true]);
  const sql = rules[2]?.args?.named.get('sql')?.sql;
  assert.deepEqual(sql, {
    dialect: 'postgres',
    statements: ['select'],
    schemas: ['public'],
    tables: ['orders'],
    functions: { safe: true, named: ['my_fn'] },
    single: true,
    maxBytes: 20_000,
  });
  assert.deepEqual(
    policy.identities.map(({ name, is, roles }) => [name, is, roles]),
    [
      ['alice', ['ziti:a', 'group:eng'], ['reader']],
      ['owner', ['owner'], ['reader', 'nobody']],
      ['unproven', ['unproven'], []],
    ],
  );
  assert.deepEqual(policy.views, [
    { name: 'calm', show: [{ tools: ['read_*'] }], roles: ['reader'], token: 'my-calm' },
  ]);
  assert.deepEqual(
    notes.map(({ text }) => text),
    ['g.yml:9:24: roles.nobody[0].allow.tools: the list is empty: it covers nothing'],
  );
});
