import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RateWindow } from '../../../src/transports/child/rate.ts';

test('the window counts what came in it and forgets what is older', () => {
  let now = 0;
  const rate = new RateWindow(1000, () => now);
  assert.deepEqual(rate.add(10), { events: 1, bytes: 10 });
  now = 500;
  assert.deepEqual(rate.add(5), { events: 2, bytes: 15 });
  now = 1099;
  assert.deepEqual(rate.add(1), { events: 2, bytes: 6 });
  now = 1_000_000;
  assert.deepEqual(rate.add(1), { events: 1, bytes: 1 });
});

test('it never counts more than the window holds, nor less than nine tenths of it', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400), { maxLength: 100 }), (gaps) => {
      let now = 0;
      const rate = new RateWindow(1000, () => now);
      const times: number[] = [];
      for (const gap of gaps) {
        now += gap;
        times.push(now);
        const { events } = rate.add(1);
        assert.ok(events <= times.filter((at) => now - at < 1000).length);
        assert.ok(events >= times.filter((at) => now - at < 900).length);
      }
    }),
  );
});
