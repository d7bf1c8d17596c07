import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createBackoff } from '../../../src/transports/child/backoff.ts';

function setup(random: () => number = () => 0.5) {
  const time = { now: 1_000_000 };
  return { time, backoff: createBackoff({ clock: () => time.now, random }) };
}

test('the first start does not wait, each crash doubles the ceiling up to 30 s', () => {
  const { time, backoff } = setup(() => 0.999_999);
  assert.equal(backoff.next(), 0);
  const waits: number[] = [];
  for (let n = 0; n < 8; n += 1) {
    backoff.note('crash');
    waits.push(backoff.next());
    time.now += 60_000;
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test('every wait after a crash is at least half a second and jitter covers the rest', () => {
  const { backoff: low } = setup(() => 0);
  low.note('crash');
  low.note('crash');
  assert.equal(low.next(), 500);
  const { backoff: middle } = setup(() => 0.5);
  middle.note('crash');
  middle.note('crash');
  assert.equal(middle.next(), 1250);
});

test('a stable time forgets the past, a short one does not', () => {
  const { time, backoff } = setup(() => 0);
  backoff.note('crash');
  backoff.note('ok');
  time.now += 59_999;
  backoff.note('crash');
  assert.equal(backoff.state().attempts, 2);
  backoff.note('ok');
  time.now += 60_000;
  assert.deepEqual(backoff.state(), { circuit: 'closed', attempts: 0 });
  assert.equal(backoff.next(), 0);
});

test('five crashes in two minutes open the circuit, then one attempt decides', () => {
  const { time, backoff } = setup(() => 0);
  for (let n = 0; n < 4; n += 1) {
    backoff.note('crash');
    time.now += 10_000;
  }
  assert.equal(backoff.state().circuit, 'closed');
  backoff.note('crash');
  assert.deepEqual(backoff.state(), { circuit: 'open', attempts: 5, openUntil: time.now + 120_000 });
  assert.equal(backoff.next(), 120_000);
  time.now += 120_000;
  assert.equal(backoff.state().circuit, 'trying');
  assert.equal(backoff.next(), 500);
  backoff.note('crash');
  assert.equal(backoff.state().circuit, 'open');
  time.now += 120_000;
  backoff.note('ok');
  assert.equal(backoff.state().circuit, 'trying');
  time.now += 60_000;
  assert.deepEqual(backoff.state(), { circuit: 'closed', attempts: 0 });
});

test('five crashes spread over more than two minutes leave it closed', () => {
  const { time, backoff } = setup();
  for (let n = 0; n < 20; n += 1) {
    backoff.note('crash');
    time.now += 31_000;
  }
  assert.equal(backoff.state().circuit, 'closed');
});

test('no history makes a wait that is negative, over two minutes, or none after a crash', () => {
  const event = fc.record({
    event: fc.constantFrom('crash', 'ok'),
    after: fc.nat(200_000),
    chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let chance = 0;
      const { time, backoff } = setup(() => chance);
      for (const one of events) {
        time.now += one.after;
        chance = one.chance;
        backoff.note(one.event as 'crash' | 'ok');
        const wait = backoff.next();
        assert.ok(wait >= 0 && wait <= 120_000);
        if (one.event === 'crash') assert.ok(wait >= 500);
      }
    }),
  );
});
