// Levels of overload: what enters them, what leaves them, and that they do not flicker.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OverloadMeter } from '../../src/overload/meter.ts';
import type { Vitals } from '../../src/overload/vitals.ts';

const WELL: Vitals = { heap: 0.1, rss: 0.1, files: 0.1, lagMs: 0 };

function fed(...readings: readonly Partial<Vitals>[]): OverloadMeter {
  const meter = new OverloadMeter();
  for (const reading of readings) meter.feed({ ...WELL, ...reading });
  return meter;
}

function times(count: number, reading: Partial<Vitals>): Partial<Vitals>[] {
  return Array.from({ length: count }, () => reading);
}

for (const what of ['heap', 'rss', 'files'] as const) {
  test(`${what}: at once level 1 above 80 %, level 2 above 92 %`, () => {
    assert.equal(fed({ [what]: 0.8 }).state.level, 0);
    assert.equal(fed({ [what]: 0.81 }).state.level, 1);
    assert.equal(fed({ [what]: 0.93 }).state.level, 2);
  });
}

test('lag counts when it comes again: one long turn of the loop is no overload', () => {
  assert.equal(fed({ lagMs: 5000 }, ...times(20, {})).state.level, 0);
  assert.equal(fed({ lagMs: 250 }, {}, {}, { lagMs: 300 }).state.level, 1);
  assert.equal(fed({ lagMs: 1500 }, {}, { lagMs: 1200 }).state.level, 2);
  assert.equal(fed({ lagMs: 250 }, ...times(8, {}), { lagMs: 300 }).state.level, 0);
});

test('a level is left after 20 calm readings well below its mark, step by step', () => {
  const high = { heap: 0.95 };
  assert.equal(fed(high, ...times(19, {})).state.level, 2);
  assert.equal(fed(high, ...times(20, {})).state.level, 0);
  assert.equal(fed(high, ...times(20, { heap: 0.75 })).state.level, 1, 'below the second mark only');
  assert.equal(fed(high, ...times(50, { heap: 0.9 })).state.level, 2, 'not well below it');
  assert.equal(fed(high, ...times(19, {}), { heap: 0.9 }, ...times(19, {})).state.level, 2, 'calm begins anew');
});

test('what is worst is told, and since when the level holds', () => {
  let now = 1000;
  const meter = new OverloadMeter(() => now);
  meter.feed({ ...WELL, rss: 0.85 });
  now = 2000;
  meter.feed({ ...WELL, rss: 0.86 });
  assert.deepEqual(meter.state, { level: 1, since: 1000, worst: 'memory', value: 0.86 });
});

test('while a level is held after its cause is over, the cause is what is told', () => {
  const { level, worst, value } = fed({ lagMs: 1500 }, { lagMs: 1500 }, ...times(10, {})).state;
  assert.deepEqual([level, worst, value], [2, 'lag', 1500]);
  assert.equal(fed({ lagMs: 1500 }, { lagMs: 1500 }, ...times(40, {})).state.worst, 'heap');
});

test('a system that does not tell its files is judged by the rest', () => {
  assert.equal(fed({ files: undefined, heap: 0.5 }).state.level, 0);
});

test('whatever is read: above the mark it is never well, and after calm it is', () => {
  const share = fc.double({ min: 0, max: 1.2, noNaN: true });
  const reading = fc.record({ heap: share, rss: share, files: share, lagMs: fc.integer({ min: 0, max: 5000 }) });
  fc.assert(
    fc.property(fc.array(reading, { maxLength: 60 }), (readings) => {
      const meter = new OverloadMeter();
      for (const one of readings) {
        meter.feed(one);
        const most = Math.max(one.heap, one.rss, one.files);
        if (most > 0.92) assert.equal(meter.state.level, 2);
        else if (most > 0.8) assert.ok(meter.state.level >= 1);
      }
      for (const one of times(30, {})) meter.feed({ ...WELL, ...one });
      assert.equal(meter.state.level, 0);
    }),
  );
});
