// The rules of spares against every order of events, with children that are only names.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { LIMITS } from '../../../src/limits.ts';
import type { ChildTransport } from '../../../src/transports/child/child.ts';
import { type Spare, Spares, sameStart } from '../../../src/transports/child/spares.ts';

interface Fake {
  readonly spare: Spare<number>;
  closed: boolean;
  /** By the pool. */
  closes: number;
  die(): void;
}

type Event =
  | { readonly do: 'take'; readonly key: string }
  | { readonly do: 'rotate'; readonly key: string }
  | { readonly do: 'die'; readonly at: number }
  | { readonly do: 'fail' }
  | { readonly do: 'drop' };

const key = fc.constantFrom('alice', 'bob');
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: key.map((key) => ({ do: 'take', key }) as const) },
  key.map((key) => ({ do: 'rotate', key }) as const),
  fc.nat(20).map((at) => ({ do: 'die', at }) as const),
  fc.constant({ do: 'fail' } as const),
  fc.constant({ do: 'drop' } as const),
);

test('whatever happens, a spare is given once, alive, to one who would have started the same, and none is forgotten', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 25 }), fc.integer({ min: 0, max: 2 }), async (events, size) => {
      const all: Fake[] = [];
      const given = new Set<Spare<number>>();
      const state = { key: 'alice', fails: false };
      const spares = new Spares<number>({
        size,
        fillAfterMs: 0,
        allowed: () => true,
        backoff: { next: () => 0, note: () => {}, state: () => ({ circuit: 'closed', attempts: 0 }) },
        start: async () => {
          if (state.fails) throw new Error('no start');
          const fake = fakeSpare(state.key, all.length);
          all.push(fake);
          return fake.spare;
        },
      });
      for (const one of events) {
        if (one.do === 'rotate') state.key = one.key;
        if (one.do === 'die') all[one.at]?.die();
        if (one.do === 'fail') state.fails = !state.fails;
        if (one.do === 'drop') spares.drop();
        if (one.do === 'take') {
          const spare = spares.take(one.key);
          if (spare) {
            assert.equal(spare.key, one.key);
            assert.ok(!given.has(spare), 'given twice');
            assert.ok(!all.find((fake) => fake.spare === spare)?.closed, 'given after it was ended');
            given.add(spare);
          }
          spares.fill();
        }
        // Long enough for a spare to be there.
        await delay(2);
        assert.ok(spares.size <= size);
      }
      await spares.close();
      assert.equal(spares.size, 0);
      for (const { spare, closed, closes } of all) {
        assert.ok(closed || given.has(spare), 'neither given nor ended');
        assert.ok(closes === 0 || !given.has(spare), 'ended in the hands of its taker');
      }
    }),
    { numRuns: 100 },
  );
});

function fakeSpare(key: string, number: number): Fake {
  let exit: () => void = () => {};
  const exited = new Promise<void>((resolve) => {
    exit = resolve;
  });
  const fake: Fake = {
    closed: false,
    closes: 0,
    die: () => {
      fake.closed = true;
      exit();
    },
    spare: {
      key,
      with: number,
      child: {
        exited,
        close: async () => {
          fake.closes += 1;
          fake.die();
        },
      } as unknown as ChildTransport,
    },
  };
  return fake;
}

test('where there was no room for a spare, it is looked again', async () => {
  let room = false;
  let asked: () => void = () => {};
  const refused = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const alive = setInterval(() => {}, 1000);
  const fake = fakeSpare('alice', 0);
  const started = new Promise<void>((resolve) => {
    const spares = new Spares<number>({
      ...{ size: 1, fillAfterMs: 0, lookAgainMs: 1 },
      allowed: () => {
        asked();
        return room;
      },
      backoff: { next: () => 0, note: () => {}, state: () => ({ circuit: 'closed', attempts: 0 }) },
      start: async () => {
        resolve(spares.close());
        return fake.spare;
      },
    });
    spares.fill();
  });
  await refused;
  room = true;
  await started;
  clearInterval(alive);
});

test('two starts are the same if nothing differs that a server could see, whatever the order of variables', () => {
  const start = { name: 'a', command: 'node', args: ['x'], env: { A: '1', B: '2' }, limits: LIMITS };
  const same = sameStart(start);
  assert.equal(sameStart({ ...start, name: 'b', env: { B: '2', A: '1' } }), same);
  const others = [
    { ...start, command: 'deno' },
    { ...start, args: ['x', ''] },
    { ...start, env: { A: '1', B: '3' } },
    { ...start, env: { A: '1' } },
    { ...start, cwd: '/' },
    { ...start, sandbox: { command: 'bwrap', args: [], kind: 'walls', said: '', missing: [] } as const },
  ];
  for (const other of others) assert.notEqual(sameStart(other), same, JSON.stringify(other));
});
