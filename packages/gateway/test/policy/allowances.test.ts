// The book of allowances: whose budget a call is, and that no interleaving of sessions gives more than there is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AllowanceConfig, parseGatewayConfig } from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';
import fc from 'fast-check';
import { Allowances, type CallerLimits, type Passage } from '../../src/policy/allowances.ts';
import { POLICY_CAPS } from '../../src/policy/caps.ts';
import { forgetfulSpent } from '../../src/policy/spent.ts';
import { fileOf, OWNER, person, UNPROVEN } from './rules-of.ts';

const NOON = Date.parse('2026-11-27T12:00:00Z');
const DAY = 24 * 3600 * 1000;
const HOUR = 3600 * 1000;

function bookOf(lines: string) {
  const { config } = parseGatewayConfig(fileOf(lines), { file: 'g.yml', env: {}, cwd: '/' });
  assert.ok(config.allowances);
  const time = { mono: 1000, wall: NOON };
  const clock = { mono: () => time.mono, wall: () => time.wall };
  const book = new Allowances({
    config: config.allowances,
    identities: config.policy?.identities ?? [],
    spent: forgetfulSpent(clock),
    clock,
  });
  const of = (principal: Principal): CallerLimits => {
    const limits = book.of(principal);
    assert.ok(limits, `${principal.id} is not limited`);
    return limits;
  };
  return { book, of, time };
}

/** What it was refused for; undefined: it went through, and is over again. */
function refusalOf(passage: Passage): string | undefined {
  if ('refused' in passage) return passage.refused.limit;
  passage.release();
  return undefined;
}

/** How many go through until one does not. */
function count(enter: () => Passage): number {
  for (let at = 0; at < 1000; at += 1) if (refusalOf(enter())) return at;
  return Number.POSITIVE_INFINITY;
}

const identities = (lines: string): string => `limits: { identities: ${lines} }\n`;

test('default is for every identity but the owner, and each has its own budget', () => {
  const { book, of } = bookOf(identities('{ default: { daily: 2 } }'));
  assert.equal(count(of(person('alice')).enter), 2);
  assert.equal(count(of(person('bob')).enter), 2);
  assert.equal(count(of(UNPROVEN).enter), 2);
  assert.equal(book.of(OWNER), undefined);
  assert.equal(book.of(person('ann', { owner: true })), undefined);
});

test('the nearest entry counts: its own, its group, the network, all others', () => {
  const { book, of } = bookOf(
    identities(`{ default: { daily: 1 }, network: { daily: 2 }, "group:night": { daily: 3 }, "ziti:alice": { daily: 4 },
      "ziti:free": {}, owner: { daily: 5 } }`),
  );
  const night = { groups: ['night'] };
  assert.equal(count(of(person('alice', night)).enter), 4);
  assert.equal(count(of(person('carol', night)).enter), 3);
  assert.equal(count(of(person('dave')).enter), 2);
  assert.equal(count(of(UNPROVEN).enter), 1);
  assert.equal(book.of(person('free', night)), undefined);
  assert.equal(count(of(OWNER).enter), 5);
  assert.equal(count(of(person('ann', { owner: true, ...night })).enter), 5);
  assert.equal(refusalOf(of(person('carol', night)).enter()), 'identities.group:night.daily');
});

test('a claim has no budget of its own: whoever has no proof shares one', () => {
  const { of } = bookOf(identities('{ default: { daily: 3 }, "ziti:alice": { daily: 100 } }'));
  const claiming = (name: string): Principal => ({ ...UNPROVEN, name });
  assert.equal(refusalOf(of(claiming('ziti:alice')).enter()), undefined);
  assert.equal(count(of(claiming('bob')).enter), 2);
});

test('T33: sessions of one identity share its budgets, and so do its nicknames and narrowed tokens', () => {
  const token = `token:${'a'.repeat(24)}`;
  const { of } = bookOf(`roles: { r: [ { allow: { tools: ["*"] } } ] }
identities: { alice: { is: ["ziti:alice", "spiffe://corp/alice"], roles: [r] }, "${token}": [r] }
${identities('{ default: { daily: 4 }, alice: { concurrent: 2, daily: 3 } }')}`);
  const [one, other] = [of(person('alice')), of(person('alice'))];
  const held = [one.enter(), other.enter()];
  const third = of(person('alice', { id: 'spiffe://corp/alice' })).enter();
  assert.deepEqual(third, { refused: { limit: 'identities.alice.concurrent', retryAfterMs: 1000 } });
  for (const passage of held) if ('release' in passage) passage.release();
  assert.equal(count(one.enter) + count(other.enter), 1);

  const parent = of(person('x', { id: token }));
  const narrowed = [...'bcde'].map((letter) => of(person('x', { id: `${token}/${letter.repeat(24)}` })));
  assert.equal(narrowed.filter((child) => refusalOf(child.enter()) === undefined).length, 4);
  assert.equal(refusalOf(parent.enter()), 'identities.default.daily');
});

test('backends and tools go by their own names; per identity each has its own and the owner none', () => {
  const { of } = bookOf(`limits:
  backends: { db: { daily: 5 } }
  tools:
    - { backend: db, tools: [execute_*], daily: 3 }
    - { tools: ["*"], daily: 2, per: identity }
`);
  const [alice, bob, owner] = [of(person('alice')), of(person('bob')), of(OWNER)];
  assert.equal(count(alice.enter), Number.POSITIVE_INFINITY, 'nothing limits her requests as such');
  assert.equal(
    count(() => alice.spend('db', 'execute_sql')),
    2,
  );
  assert.equal(refusalOf(alice.spend('fs', 'read')), 'tools[1].daily');
  assert.equal(refusalOf(alice.spend('fs', undefined)), undefined, 'no call of a tool');
  assert.equal(
    count(() => bob.spend('db', 'execute_sql')),
    1,
    'together three',
  );
  assert.equal(refusalOf(bob.spend('db', 'execute_sql')), 'tools[0].daily');
  assert.equal(refusalOf(owner.spend('db', 'execute_sql')), 'tools[0].daily', 'what protects a tool is for all');
  assert.equal(
    count(() => owner.spend('db', 'read')),
    2,
    'the backend had two left',
  );
  assert.equal(refusalOf(owner.spend('db', undefined)), 'backends.db.daily');
});

test('a call that one of its budgets refuses takes of none of them', () => {
  const { of, time } = bookOf(`limits:
  backends: { db: { rate: 1/m } }
  tools: [ { backend: db, tools: [x], daily: 10 } ]
`);
  const alice = of(person('alice'));
  assert.equal(refusalOf(alice.spend('db', 'x')), undefined);
  for (let at = 0; at < 20; at += 1) assert.equal(refusalOf(alice.spend('db', 'x')), 'backends.db.rate');
  for (let at = 0; at < 9; at += 1) {
    time.mono += 60_000;
    assert.equal(refusalOf(alice.spend('db', 'x')), undefined, 'the refused ones cost nothing of the day');
  }
  time.mono += 60_000;
  assert.equal(refusalOf(alice.spend('db', 'x')), 'tools[0].daily');
});

test('of several limits the one is told that lasts longest', () => {
  const { of } = bookOf(identities('{ default: { rate: 1/s, daily: 1, concurrent: 1 } }'));
  const alice = of(person('alice'));
  assert.ok('release' in alice.enter());
  assert.deepEqual(alice.enter(), { refused: { limit: 'identities.default.daily', retryAfterMs: DAY / 2 } });
});

test('T37: jumps of the wall clock change nothing but the day', () => {
  const { of, time } = bookOf(identities('{ default: { rate: 1/h, burst: 2 }, "ziti:day": { daily: 2 } }'));
  const [rated, daily] = [of(person('alice')), of(person('day'))];
  assert.equal(count(rated.enter), 2);
  assert.equal(count(daily.enter), 2);
  for (const wall of [NOON - 30 * DAY, 0, NOON - HOUR, NOON + HOUR]) {
    time.wall = wall;
    assert.deepEqual(rated.enter(), { refused: { limit: 'identities.default.rate', retryAfterMs: HOUR } });
    assert.equal(refusalOf(daily.enter()), 'identities.ziti:day.daily', 'back and forth, nothing is given back');
  }
  time.wall = NOON + 40 * DAY;
  assert.equal(refusalOf(rated.enter()), 'identities.default.rate', 'forward, no token drops');
  assert.equal(count(daily.enter), 2, 'but it is another day');
  for (const days of [0, 1, 39, 40]) {
    time.wall = NOON + days * DAY;
    assert.deepEqual(daily.enter(), {
      refused: { limit: 'identities.ziti:day.daily', retryAfterMs: days === 40 ? DAY / 2 : DAY },
    });
  }
  time.wall = NOON;
  time.mono += DAY;
  assert.equal(count(daily.enter), 2, 'a day later nobody is shut out for the forty that were not');
  assert.equal(count(rated.enter), 2);
});

test('a day ends at midnight UTC, and the wait that is told leads there', () => {
  const { of, time } = bookOf(identities('{ default: { daily: 1 } }'));
  const alice = of(person('alice'));
  time.wall = Date.parse('2026-11-27T23:59:50.250Z');
  assert.equal(count(alice.enter), 1);
  assert.deepEqual(alice.enter(), { refused: { limit: 'identities.default.daily', retryAfterMs: 9750 } });
  time.wall += 9750;
  assert.equal(count(alice.enter), 1);
});

test('T33: concurrency is never exceeded, whatever the interleaving, and every place comes back', () => {
  const config: AllowanceConfig = { concurrent: 3 };
  const step = fc.record({
    who: fc.nat({ max: 2 }),
    session: fc.nat({ max: 2 }),
    enters: fc.boolean(),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { of } = bookOf(`limits:
  identities: { default: { concurrent: ${config.concurrent} } }
  backends: { db: { concurrent: 5 } }
`);
      const people = [0, 1, 2].map((who) => [0, 1, 2].map(() => of(person(`p${who}`))));
      const open: { who: number; release(): void }[] = [];
      for (const { who, session, enters, which } of steps) {
        if (!enters) {
          const [over] = open.length === 0 ? [] : open.splice(which % open.length, 1);
          over?.release();
          // Twice is once.
          over?.release();
          continue;
        }
        const caller = people[who]?.[session];
        assert.ok(caller);
        const mine = open.filter((one) => one.who === who).length;
        const entered = caller.enter();
        assert.equal('release' in entered, mine < 3);
        if (!('release' in entered)) continue;
        const spent = caller.spend('db', 'x');
        assert.equal('release' in spent, open.length < 5);
        if ('refused' in spent) {
          entered.release();
          continue;
        }
        open.push({
          who,
          release: () => {
            spent.release();
            entered.release();
          },
        });
      }
      for (const one of open) one.release();
      for (const sessions of people) {
        const places = [0, 1, 2].map(() => sessions[0]?.enter() ?? { release: () => {} });
        assert.ok(places.every((place) => 'release' in place));
        for (const place of places) if ('release' in place) place.release();
      }
    }),
    { numRuns: 60 },
  );
});

test('the book is bounded: whole budgets are forgotten first, and where there is no room nobody new passes', () => {
  const { book, of, time } = bookOf(identities('{ default: { rate: 1/m, burst: 2 } }'));
  const used = of(person('used'));
  assert.equal(count(used.enter), 2);
  const held = of(person('held')).enter();
  for (let at = 2; at < POLICY_CAPS.rememberedCallers; at += 1) assert.ok('release' in of(person(`n${at}`)).enter());
  const late = of(person('late'));
  assert.deepEqual(late.enter(), { refused: { limit: 'identities.default.room', retryAfterMs: 1000 } });
  assert.equal(refusalOf(used.enter()), 'identities.default.rate', 'those that are counted still are');
  // The held ones never become idle; those that were let go do, when they are full again.
  assert.ok('release' in held);
  held.release();
  time.mono += 60_000;
  assert.equal(refusalOf(late.enter()), undefined);
  assert.equal(refusalOf(used.enter()), undefined, 'one came back in a minute, no more');
  assert.equal(refusalOf(used.enter()), 'identities.default.rate');
  assert.ok(book.rows().length <= 100);
});

test('status tells what is near its limit and what was refused lately, whose and how often', () => {
  const { book, of, time } = bookOf(identities('{ default: { rate: 10/s, daily: 100 } }'));
  const alice = of(person('alice'));
  for (let at = 0; at < 7; at += 1) refusalOf(alice.enter());
  assert.deepEqual(book.rows(), []);
  refusalOf(alice.enter());
  const near = { limit: 'identities.default.rate', who: 'ziti:alice', used: 8, of: 10, refused: 0 };
  assert.deepEqual(book.rows(), [near]);
  for (let at = 0; at < 4; at += 1) refusalOf(alice.enter());
  const lastRefused = new Date(NOON).toISOString();
  assert.deepEqual(book.rows(), [{ ...near, used: 10, refused: 2, lastRefused }]);
  time.mono += 9 * 60_000;
  assert.deepEqual(book.rows(), [{ ...near, used: 0, refused: 2, lastRefused }]);
  time.mono += 2 * 60_000;
  assert.deepEqual(book.rows(), []);
});
