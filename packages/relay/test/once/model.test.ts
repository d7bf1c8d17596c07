// The ledger as a state machine against a model that remembers everything: whatever is asked, answered, dropped, ended,
// killed or unplugged in whatever order, no key runs twice, no outcome changes, and a number that is higher than all before
// it is new.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ledger, type LedgerOptions } from '../../src/index.ts';
import { callKey } from '../../src/once/key.ts';
import type { Run } from '../../src/once/ledger.ts';
import { MemoryLedgerFiles } from '../../src/testing/index.ts';

const KEEP_MS = 60_000;
const SESSIONS = ['aa', 'bb', 'cc'].map((two) => two.repeat(16));

type Step =
  | { readonly do: 'ask' | 'again' | 'answer' | 'unknown' | 'not run'; readonly session: number; readonly pick: number }
  | { readonly do: 'end'; readonly session: number }
  | { readonly do: 'time'; readonly ms: number }
  | { readonly do: 'full' | 'room' | 'kill' | 'close' };

const session = fc.integer({ min: 0, max: SESSIONS.length - 1 });
const pick = fc.nat({ max: 50 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('ask' as const), session, pick }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), session, pick }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('again' as const), session, pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('unknown' as const, 'not run' as const), session, pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), session }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 40_000 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('full' as const, 'room' as const, 'kill' as const, 'close' as const) }),
  },
);

interface Known {
  state: 'running' | 'done' | 'unknown' | 'not run';
  ran: number;
  run: Run | undefined;
  answer: Buffer | undefined;
  at: number;
}

class House {
  readonly keys = SESSIONS.map(() => new Map<number, Known>());
  readonly tops = SESSIONS.map(() => 0);
  readonly ended = SESSIONS.map(() => 0);
  files = new MemoryLedgerFiles();
  now = 1_000_000;
  full = false;
  ledger!: Ledger;
  readonly durability: LedgerOptions['durability'];

  constructor(durability: LedgerOptions['durability']) {
    this.durability = durability;
  }

  async open(): Promise<void> {
    const { files, durability } = this;
    this.ledger = await Ledger.open({
      folder: '/l',
      files,
      durability,
      keepMs: KEEP_MS,
      wall: () => this.now,
      lives: () => false,
    });
  }

  async ask(at: number, number: number): Promise<void> {
    const key = callKey(SESSIONS[at] as string, number);
    const known = this.keys[at]?.get(number);
    const found = this.ledger.find(key, 7);
    const told = `${at}:${number} ${known?.state} ${found.is}`;
    switch (found.is) {
      case 'new':
        assert.ok(known === undefined || known.state === 'not run', told);
        return this.begin(at, number);
      case 'running':
        assert.equal(known?.state, 'running', told);
        break;
      case 'done':
        assert.equal(known?.state, 'done', told);
        assert.deepEqual(found.bytes, known?.answer);
        break;
      case 'unknown': {
        const old = known?.state === 'done' && this.now - known.at > KEEP_MS;
        const gone = number <= (this.ended[at] ?? 0);
        const below = known === undefined || known.state === 'not run' ? number <= (this.tops[at] ?? 0) : false;
        assert.ok(old || gone || below || known?.state === 'unknown', told);
        break;
      }
      default:
        assert.fail(told);
    }
  }

  async begin(at: number, number: number): Promise<void> {
    const key = callKey(SESSIONS[at] as string, number);
    const before = this.keys[at]?.get(number);
    let run: Run;
    try {
      run = this.ledger.start(key, 7);
      await run.safe;
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'ledger_unwritable');
      assert.ok(this.full);
      return;
    }
    this.tops[at] = Math.max(this.tops[at] ?? 0, number);
    const ran = (before?.ran ?? 0) + 1;
    assert.ok(ran === 1 || before?.state === 'not run');
    this.keys[at]?.set(number, { state: 'running', ran, run, answer: undefined, at: this.now });
  }

  async over(known: Known, state: 'done' | 'unknown' | 'not run'): Promise<void> {
    const { run } = known;
    if (run === undefined) return;
    const answer = Buffer.from(`{"jsonrpc":"2.0","id":1,"result":{"n":"${run.key.text}"}}`);
    const told = new Promise<void>((resolve) => {
      run.waiters.add(() => resolve());
    });
    if (state === 'not run') this.ledger.notRun(run, undefined);
    else this.ledger.settle(run, state, answer, undefined);
    await told;
    known.state = state;
    known.answer = answer;
    known.run = undefined;
    known.at = this.now;
  }

  running(at: number): Known[] {
    return [...(this.keys[at]?.values() ?? [])].filter(({ state }) => state === 'running');
  }
}

async function play(steps: readonly Step[], durability: LedgerOptions['durability']): Promise<void> {
  const house = new House(durability);
  await house.open();
  /** Written while the disk was full: whether it came to the disk is not known here. */
  const unsure = (known: Known): void => {
    if (house.full) known.at = Number.NEGATIVE_INFINITY;
  };
  for (const one of steps) {
    switch (one.do) {
      case 'ask':
        await house.ask(one.session, (house.tops[one.session] ?? 0) + 1 + (one.pick % 3));
        break;
      case 'again':
        await house.ask(one.session, 1 + (one.pick % ((house.tops[one.session] ?? 0) + 1)));
        break;
      case 'answer':
      case 'unknown':
      case 'not run': {
        const running = house.running(one.session);
        const known = running[one.pick % Math.max(1, running.length)];
        if (known === undefined) break;
        await house.over(known, one.do === 'answer' ? 'done' : one.do);
        unsure(known);
        break;
      }
      case 'end':
        house.ledger.end(SESSIONS[one.session] as string);
        house.ended[one.session] = house.tops[one.session] ?? 0;
        break;
      case 'time':
        house.now += one.ms;
        break;
      case 'full':
        house.full = true;
        house.files.room = 0;
        break;
      case 'room':
        house.full = false;
        house.files.room = Number.POSITIVE_INFINITY;
        break;
      default: {
        const wasFull = house.full;
        if (one.do === 'close') await house.ledger.close();
        house.full = false;
        house.files = one.do === 'kill' && durability === 'commit' ? house.files.afterPowerLoss() : house.files.copy();
        for (const keys of house.keys) {
          for (const known of keys.values()) {
            if (known.state === 'running') known.state = 'unknown';
            known.run = undefined;
            // What is kept in memory for want of room goes with the process.
            if (wasFull) known.at = Number.NEGATIVE_INFINITY;
          }
        }
        await house.open();
      }
    }
  }
}

for (const durability of ['os', 'commit'] as const) {
  test(`no order of events runs a key twice or changes an outcome (${durability})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => play(steps, durability)),
      { numRuns: 600 },
    );
  });
}
