// The judge judged: a run where all was well is innocent, and each thing that must not be is found under its own name.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Outcome, SentCall } from './client-ledger.ts';
import { Dice } from './dice.ts';
import { disturbed, neighbours } from './neighbours.ts';
import { type AuditRecord, type Evidence, type Invariant, judge, type Ran, type Trouble } from './oracle.ts';

const NOW = Date.parse('2026-11-20T07:00:00.000Z');
const at = (ms: number): string => new Date(NOW + ms).toISOString();

/** Two calls that went well, one to each server. */
function innocent() {
  const call = (nonce: string, server: string): SentCall => ({
    nonce,
    client: 'c0',
    server,
    tool: 'do',
    sha256: `sha of ${nonce}`,
    sentAt: NOW,
    endedAt: NOW + 40,
    quick: true,
    steps: [1, 2, 3],
    outcome: 'ok',
    answered: { nonce, sha256: `sha of ${nonce}` },
  });
  const first = call('a', 'own');
  const second = call('b', 'far');
  const ran: Ran[] = [first, second].map(({ nonce, sha256, server }) => ({ server, nonce, sha256, at: NOW + 20 }));
  const record = (seq: number, ms: number, more: Partial<AuditRecord>): AuditRecord => ({
    type: 'call.intent',
    seq,
    ts: at(ms),
    log: 'l',
    ...more,
  });
  const records: AuditRecord[] = [
    record(1, 10, { args: { clear: { nonce: 'a' } } }),
    record(2, 10, { args: { clear: { nonce: 'b' } } }),
    record(3, 30, { type: 'call.outcome', of: 1, status: 'ok' }),
    record(4, 30, { type: 'call.outcome', of: 2, status: 'ok' }),
  ];
  const troubles: Trouble[] = [];
  return { first, second, ran, records, troubles, strange: [] as Evidence['strange'][number][] };
}

type Case = ReturnType<typeof innocent>;

function verdict({ first, second, ...rest }: Case): string[] {
  const owners = { own: 'gateway', far: 'bridge' } as const;
  const found = judge({ calls: [first, second], owners, safe: ['safe'], ...rest });
  return [...new Set(found.map(({ inv }) => inv))].sort();
}

function death(of: string, from: number, until: number): Trouble {
  return { what: 'kill -9', of, death: true, at: NOW + from, until: NOW + until };
}

const told = (call: SentCall, outcome: Outcome): void => void Object.assign(call, { outcome });

const DEEDS: readonly [string, readonly Invariant[], (it: Case) => void][] = [
  ['a call without an outcome', ['I1'], ({ first }) => void delete first.outcome],
  ['a second answer', ['I1'], ({ strange }) => void strange.push({ inv: 'I1', text: 'a second answer' })],
  ['a nonce of another client', ['I5'], ({ strange }) => void strange.push({ inv: 'I5', text: 'n_c1_1_' })],
  ['no intent', ['I2', 'I6'], ({ records }) => void records.splice(0, 1)],
  ['an intent after the effect', ['I2'], ({ records: [intent] }) => void Object.assign(intent ?? {}, { ts: at(21) })],
  [
    'an answer with another payload',
    ['I3'],
    ({ first }) => void Object.assign(first, { answered: { nonce: 'a', sha256: 'x' } }),
  ],
  [
    'an answer of another call',
    ['I3'],
    ({ first, second }) => void Object.assign(first, { answered: second.answered }),
  ],
  ['an answer without a run', ['I3'], ({ ran }) => void ran.splice(0, 1)],
  ['a run with another payload', ['I3'], ({ ran: [run] }) => void Object.assign(run ?? {}, { sha256: 'x' })],
  ['a run at another server', ['I3'], ({ ran: [run] }) => void Object.assign(run ?? {}, { server: 'far' })],
  ['two runs', ['I4'], ({ ran }) => void ran.push(...ran.slice(0, 1))],
  ['progress twice', ['I3'], ({ first }) => void first.steps.push(3)],
  ['an answer that is not on record', ['I6'], ({ records }) => void records.splice(2, 1)],
  [
    'refused, and it ran',
    ['I3', 'I6'],
    ({ first, troubles }) => {
      first.outcome = 'refused';
      troubles.push(death('own', 0, 10));
    },
  ],
  ['denied, and it ran', ['I6', 'I7'], ({ first }) => told(first, 'denied')],
  ['forbidden, and it ran', ['I7'], ({ first }) => void Object.assign(first, { tool: 'forbidden' })],
  [
    'withheld, and it did not run',
    ['I3'],
    ({ first, ran, troubles }) => {
      first.outcome = 'withheld';
      ran.splice(0, 1);
      troubles.push({ ...death('gateway', 0, 50), death: false });
    },
  ],
  ['unknown without a reason', ['I1'], ({ first }) => told(first, 'unknown')],
  ['refused without a reason', ['I1', 'I3', 'I6'], ({ first }) => told(first, 'refused')],
  ['a timeout without a reason', ['I1'], ({ first }) => told(first, 'timeout')],
  ['an error without a reason', ['I1'], ({ first }) => told(first, 'error')],
];

describe('the oracle', () => {
  test('an innocent run is innocent', () => assert.deepEqual(verdict(innocent()), []));

  for (const [name, invariants, deed] of DEEDS) {
    test(`${name}: ${invariants.join(' ')}`, () => {
      const it = innocent();
      deed(it);
      assert.deepEqual(verdict(it), [...invariants]);
    });
  }

  test('unknown is excused by the death of the process that owned the child, while the call was open', () => {
    for (const [of, from, until, found] of [
      ['gateway', 10, 30, []],
      // Sent while it was away: a successor can know that nobody began it.
      ['gateway', -5, 30, ['I1']],
      ['gateway', -9000, -8000, ['I1']],
      ['gateway', 50, 60, ['I1']],
      ['bridge', 10, 30, ['I1']],
      ['own', -5, 30, []],
    ] as const) {
      const it = innocent();
      it.first.outcome = 'unknown';
      it.troubles.push(death(of, from, until));
      assert.deepEqual(verdict(it), [...found], `${of} ${from}`);
    }
  });

  test('a bridge’s call is not unknown because its gateway died', () => {
    const it = innocent();
    it.second.outcome = 'unknown';
    it.troubles.push(death('gateway', 10, 30));
    assert.deepEqual(verdict(it), ['I1']);
    it.troubles.push(death('bridge', 10, 30));
    assert.deepEqual(verdict(it), []);
  });

  test('a server that hangs and holds up calls to another: I10', () => {
    const { first } = innocent();
    const calls = (count: number, from: number, tookMs: number): SentCall[] =>
      Array.from({ length: count }, (_, n) => ({ ...first, sentAt: NOW + from + n, endedAt: NOW + from + n + tookMs }));
    const hang: Trouble = { what: 'hang', of: 'far', death: false, at: NOW + 10_000, until: NOW + 15_000 };
    const found = (tookMs: number, of = 'far'): string[] => {
      const all = [...calls(50, 0, 30), ...calls(50, 11_000, tookMs)];
      return disturbed(neighbours(all, [{ ...hang, of }], ['own', 'far'])).map(({ inv }) => inv);
    };
    assert.deepEqual(found(40), []);
    assert.deepEqual(found(3000), ['I10']);
    // Its own trouble, or one of all.
    assert.deepEqual(found(3000, 'own'), []);
    assert.deepEqual(found(3000, 'gateway'), []);
  });

  test('one seed, one sequence; another seed, another', () => {
    const draws = (seed: number): string => {
      const dice = new Dice(seed);
      return JSON.stringify([dice.int(0, 1000), dice.text(9), dice.shuffled([1, 2, 3, 4, 5]), dice.fork().next()]);
    };
    assert.equal(draws(7), draws(7));
    assert.notEqual(draws(7), draws(8));
  });
});
