// `limits.identities`, `.backends`, `.tools` and `backends[].limits`.

import assert from 'node:assert/strict';
import test from 'node:test';
import { configOf, problemsOf, withBackend } from './read.ts';

const PER_SECOND = { rate: { count: 20, perMs: 1000 }, burst: 20 };
const allowancesOf = (text: string) => configOf(withBackend(text)).allowances;

test('without these keys nothing is limited, and caps of the machine are no limits of callers', () => {
  assert.equal(allowancesOf(''), undefined);
  assert.equal(allowancesOf('limits: { sessions: 5 }\n'), undefined);
});

test('identities: the rate is the burst where none is said, and default is for all others', () => {
  const text = `limits:
  identities:
    default: { rate: 20/s }
    owner: { rate: 5/m, burst: 2 }
    "ziti:Ab3": { concurrent: 3, daily: 10 }
    "group:night": { rate: 1000/h, burst: 50 }
    unproven: {}
`;
  assert.deepEqual(allowancesOf(text), {
    others: PER_SECOND,
    identities: [
      { name: 'owner', is: ['owner'], rate: { count: 5, perMs: 60_000 }, burst: 2 },
      { name: 'ziti:Ab3', is: ['ziti:Ab3'], concurrent: 3, daily: 10 },
      { name: 'group:night', is: ['group:night'], rate: { count: 1000, perMs: 3_600_000 }, burst: 50 },
      { name: 'unproven', is: ['unproven'] },
    ],
    backends: new Map(),
    tools: [],
  });
});

test('identities: a nickname means whom identities says', () => {
  const text = `roles: { r: [ { allow: { tools: ["*"] } } ] }
identities: { alice: { is: ["ziti:A", "spiffe://corp/alice"], roles: [r] } }
limits: { identities: { alice: { daily: 5 } } }
`;
  assert.deepEqual(allowancesOf(text)?.identities, [
    { name: 'alice', is: ['ziti:A', 'spiffe://corp/alice'], daily: 5 },
  ]);
});

test('backends and tools: the short form of a backend means the same', () => {
  const long = allowancesOf('limits: { backends: { a: { rate: 20/s } } }\n');
  const short = configOf(
    'backends:\n  - { id: a, transport: { type: stdio, command: x }, limits: { rate: 20/s } }\n',
  ).allowances;
  assert.deepEqual(long, short);
  assert.deepEqual(long?.backends, new Map([['a', PER_SECOND]]));
  const tools = allowancesOf(
    'limits: { tools: [ { backend: a, tools: [x_*], daily: 1 }, { tools: ["*"], concurrent: 2, per: identity } ] }\n',
  )?.tools;
  assert.deepEqual(tools, [
    { backends: ['a'], tools: ['x_*'], per: 'all', daily: 1 },
    { backends: ['*'], tools: ['*'], per: 'identity', concurrent: 2 },
  ]);
});

const CASES: readonly [string, string, readonly string[]][] = [
  [
    'a rate without a unit',
    'limits: { identities: { default: { rate: 20 } } }\n',
    ['g.yml:4:42: limits.identities.default.rate: expected a rate such as 20/s, 5/m or 1000/h (got 20)'],
  ],
  [
    'a rate of nothing',
    'limits: { identities: { default: { rate: 0/s } } }\n',
    ['g.yml:4:42: limits.identities.default.rate: expected a rate such as 20/s, 5/m or 1000/h (got "0/s")'],
  ],
  [
    'a burst of no rate',
    'limits: { identities: { default: { burst: 5 } } }\n',
    ['g.yml:4:36: limits.identities.default.burst: belongs to a rate, which is not here'],
  ],
  [
    'an identity left empty',
    'limits:\n  identities:\n    owner:\n',
    ['g.yml:6:5: limits.identities.owner: expected { rate, burst, concurrent, daily } (got nothing)'],
  ],
  [
    'an unknown identity',
    'limits: { identities: { ovner: { daily: 5 } } }\n',
    ['g.yml:4:25: limits.identities.ovner: unknown identity "ovner"; did you mean owner?'],
  ],
  [
    'a narrowed token',
    `limits: { identities: { "token:${'a'.repeat(24)}/${'b'.repeat(24)}": { daily: 5 } } }\n`,
    [
      `g.yml:4:25: limits.identities."token:${'a'.repeat(24)}/bbbbbbbb…": a narrowed token has the budget of the one it was made from; write token:${'a'.repeat(24)}`,
    ],
  ],
  [
    'an unknown backend',
    'limits: { backends: { b: { daily: 5 } }, tools: [ { backend: bb, tools: [x], daily: 1 } ] }\n',
    [
      'g.yml:4:23: limits.backends.b: unknown backend "b"; did you mean a?',
      'g.yml:4:62: limits.tools[0].backend: unknown backend "bb"; there are: a',
    ],
  ],
  [
    'an entry that limits nothing',
    'limits: { backends: { a: {} }, tools: [ { tools: ["*"] } ] }\n',
    ['g.yml:4:23: limits.backends.a: expected rate, concurrent or daily'],
  ],
  [
    'a limit that belongs to an entry',
    'limits: { rate: 20/s }\n',
    ['g.yml:4:11: limits.rate: unknown key; rate belongs under limits.identities, limits.backends or limits.tools'],
  ],
];

for (const [title, text, problems] of CASES) {
  test(`${title} is refused in these words`, () => assert.deepEqual(problemsOf(withBackend(text)), problems));
}

test('two places for the limits of one backend are an error', () => {
  const text =
    'backends:\n  - { id: a, transport: { type: stdio, command: x }, limits: { daily: 5 } }\nlimits: { backends: { a: { daily: 6 } } }\n';
  assert.deepEqual(problemsOf(text), ['g.yml:2:54: backends[0].limits: limits.backends has "a" too; keep one of them']);
});
