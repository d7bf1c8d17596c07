// The bucket against its promise, over any run of tries: never more than burst + rate · t in any t, and never less than the
// rate to whoever comes back when he is told to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bucket } from '../../src/policy/bucket.ts';

const rates = fc.record({
  count: fc.integer({ min: 1, max: 1_000_000 }),
  perMs: fc.constantFrom(1000, 60_000, 3_600_000),
  burst: fc.integer({ min: 1, max: 1000 }),
});

test('T33: over any window never more than burst + rate · t is let through', () => {
  fc.assert(
    fc.property(rates, fc.array(fc.nat({ max: 5000 }), { maxLength: 300 }), ({ count, perMs, burst }, pauses) => {
      const bucket = new Bucket({ count, perMs }, burst, 0);
      const taken: number[] = [];
      let now = 0;
      for (const pause of pauses) {
        now += pause % 3 === 0 ? 0 : pause;
        if (bucket.waitMs(now) > 0) continue;
        bucket.take();
        taken.push(now);
      }
      for (let from = 0; from < taken.length; from += 1) {
        for (let to = from; to < taken.length; to += 1) {
          const ms = (taken[to] ?? 0) - (taken[from] ?? 0);
          // In whole numbers, so that the comparison itself rounds nothing.
          assert.ok((to - from + 1) * perMs <= burst * perMs + ms * count, `${to - from + 1} in ${ms} ms`);
        }
      }
    }),
  );
});

test('who waits as long as told is let through, and a millisecond earlier is not', () => {
  fc.assert(
    fc.property(rates, fc.nat({ max: 10_000 }), fc.nat({ max: 2000 }), ({ count, perMs, burst }, began, tries) => {
      const bucket = new Bucket({ count, perMs }, burst, began);
      let now = began;
      for (let at = 0; at < tries; at += 1) {
        const wait = bucket.waitMs(now);
        if (wait > 0) {
          assert.ok(bucket.waitMs(now + wait - 1) > 0);
          now += wait;
          assert.equal(bucket.waitMs(now), 0);
        }
        bucket.take();
      }
    }),
    { numRuns: 30 },
  );
});

test('it is never fuller than full, and a clock that goes back adds nothing', () => {
  const bucket = new Bucket({ count: 10, perMs: 1000 }, 3, 1000);
  assert.equal(bucket.left(1e12), 3);
  for (let taken = 0; taken < 3; taken += 1) bucket.take();
  assert.equal(bucket.isFull(1e12), false);
  assert.equal(bucket.waitMs(0), 100);
  assert.equal(bucket.waitMs(1e12 + 100), 0);
  assert.equal(bucket.left(1e12 + 300), 3);
});
