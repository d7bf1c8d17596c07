// Two gateways and one share: what the first agrees to, what it takes back, and when the second one is ready.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HealthRecord } from '../../src/backend/health.ts';
import { successionOf } from '../../src/succession/succession.ts';
import { asReady, type Predecessor } from '../../src/succession/take-over.ts';

function backend(id: string, state?: 'up' | 'failing' | 'starting', reason?: string) {
  const health = new HealthRecord();
  if (state) health.saw(state, reason);
  return { backend: { id }, health };
}

function first(flush?: () => Promise<void>) {
  const did: string[] = [];
  let leave: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const note = (word: string) => async (): Promise<void> => void did.push(word);
  const succession = successionOf({
    share: {
      token: 'steady',
      each: () => ['steady', 'calm'].map((token) => ({ token, unreached: () => undefined })),
      sessions: () => [],
      leave: () => left,
      yield: () => {
        did.push('yield');
        return { takeBack: note('take back') };
      },
      withdraw: note('withdraw'),
    },
    backends: () => [backend('a', 'up'), backend('b', 'failing', 'gone'), backend('c')],
    log: { debug: () => {}, info: () => {}, warn: () => {} },
    record: async (what) => void did.push(`record ${what}`),
    flush: flush ?? note('flush'),
    stopWriting: () => void did.push('stop writing'),
  });
  return { succession, did, leave };
}

test('an offer names what answers here; while it stands there is no other, and no orders are taken', async () => {
  const { succession, did } = first();
  const offer = await succession.offer();
  assert.deepEqual([offer.up, offer.shares], [['a'], ['steady', 'calm']]);
  await assert.rejects(succession.offer(), { code: 'successor_waits' });
  assert.throws(() => succession.refuseOrders(), { code: 'successor_waits' });
  await offer.takeBack();
  await offer.takeBack();
  assert.deepEqual(did, ['yield', 'flush', 'take back']);
  succession.refuseOrders();
  assert.equal(succession.departure(), undefined);
  await (await succession.offer()).takeBack();
});

test('state that cannot be written: nothing is agreed to, and once it can be the next successor is', async () => {
  let full = true;
  const { succession, did } = first(async () => {
    if (full) throw new Error('no space left on device');
  });
  await assert.rejects(succession.offer(), /no space left/);
  assert.deepEqual(did, ['yield', 'take back']);
  succession.refuseOrders();
  full = false;
  const offer = await succession.offer();
  full = true;
  // Who has the share writes from here on, whatever this one could not.
  await offer.taken({ withinMs: 60_000, successor: 42 });
  assert.deepEqual(did.slice(2), ['yield', 'stop writing', 'withdraw', 'record hand over']);
});

test('taken: it turns sessions away, writes all and then nothing more, and only then stops listening', async () => {
  const { succession, did, leave } = first();
  const offer = await succession.offer();
  const departure = await offer.taken({ withinMs: 60_000, successor: 42 });
  assert.deepEqual(did, ['yield', 'flush', 'flush', 'stop writing', 'withdraw', 'record hand over']);
  assert.equal(departure.status().successor, 42);
  succession.refuseOrders();
  leave();
  assert.equal(await succession.left, 0);
});

test('drained again, an earlier end counts and a later one does not', async () => {
  const { succession, leave } = first();
  const departure = await succession.drain({ withinMs: 600_000 });
  const until = departure.status().until;
  assert.equal(await succession.drain({ withinMs: 900_000 }), departure);
  assert.equal(departure.status().until, until);
  await succession.drain({ withinMs: 1 });
  assert.ok(departure.status().until < until);
  assert.equal(await succession.left, 0, 'the time is up, whoever is still there');
  leave();
});

const predecessor = (up: readonly string[], patienceMs = 60_000, stop = new AbortController().signal): Predecessor => ({
  pid: 1,
  stop,
  up,
  patienceMs,
  taken: async () => 0,
  agrees: () => true,
  giveUp: () => {},
});

test('a successor is ready when what answers there answers here; what fails there, is new or asleep does not count', async () => {
  const late = backend('a', 'starting');
  const ready = asReady(predecessor(['a', 'asleep', 'removed']), [
    late,
    backend('asleep'),
    backend('failed there', 'failing', 'as ever'),
    backend('new', 'starting'),
  ]);
  late.health.saw('up');
  await ready;
  await asReady(undefined, [backend('a', 'failing', 'x')]);
});

test('what answers there and fails here, or does not answer in time, ends the attempt and says why', async () => {
  await assert.rejects(asReady(predecessor(['a']), [backend('a', 'failing', 'no such file')]), {
    code: 'successor_unready',
    message: 'backend a works at the running gateway and not here: no such file',
  });
  await assert.rejects(asReady(predecessor(['a'], 1), [backend('a', 'starting')]), {
    code: 'successor_unready',
    message: /did not answer in time/,
  });
});

test('one that is told to end before it is ready takes nothing', async () => {
  const stop = new AbortController();
  const waiting = asReady(predecessor(['a'], 60_000, stop.signal), [backend('a', 'starting')]);
  stop.abort();
  await assert.rejects(waiting, { code: 'successor_unready', message: /told to end/ });
  await assert.rejects(asReady(predecessor([], 60_000, stop.signal), []), { code: 'successor_unready' });
});
