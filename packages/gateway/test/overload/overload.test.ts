// The monitor: reads by itself, says each change once, and tells those who ask what not to take. And the real readings.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openOverload } from '../../src/overload/overload.ts';
import { openVitals, type Vitals } from '../../src/overload/vitals.ts';

const WELL: Vitals = { heap: 0.1, rss: 0.1, files: 0.1, lagMs: 0 };

test('a change of level is logged once, refuses what is new, and asks for room where memory is short', async () => {
  let vitals = WELL;
  let heard: () => void = () => {};
  const said: unknown[] = [];
  const note = (kind: string) => (fields: object, event: string) => {
    said.push({ kind, event, ...fields });
    heard();
  };
  const log = { debug: () => {}, info: note('info'), warn: note('warn') };
  const overload = openOverload({ log, everyMs: 1, vitals: { read: () => vitals, close: () => {} } });
  let given = 0;
  let gave: () => void = () => {};
  overload.whenShort(() => {
    given += 1;
    gave();
  });
  const change = (to: Vitals): Promise<void> => {
    const news = new Promise<void>((resolve) => {
      heard = resolve;
    });
    vitals = to;
    return news;
  };
  const alive = setInterval(() => {}, 1000);
  try {
    assert.deepEqual(
      [overload.turnAway(), overload.retryCallMs(), overload.mayPrepare()],
      [undefined, undefined, true],
    );
    await change({ ...WELL, files: 0.85 });
    assert.equal(overload.turnAway()?.code, 'busy');
    assert.ok((overload.turnAway()?.retryMs ?? 0) > 0);
    assert.equal(overload.turnAway(true), undefined);
    assert.deepEqual([overload.retryCallMs(), overload.mayPrepare(), given], [undefined, false, 0]);
    await change({ ...WELL, heap: 0.95 });
    assert.equal(overload.retryCallMs(), 1000);
    assert.equal(overload.turnAway(true)?.code, 'busy');
    await new Promise<void>((resolve) => {
      gave = resolve;
    });
    assert.ok(given > 0);
    await change(WELL);
    assert.equal(overload.state().level, 0);
    assert.deepEqual(
      said.map((one) => [(one as { kind: string }).kind, (one as { level: number }).level]),
      [
        ['warn', 1],
        ['warn', 2],
        ['info', 0],
      ],
    );
  } finally {
    overload.close();
    clearInterval(alive);
  }
});

test('lag that this process did not make is none: the machine is busy with others', async () => {
  const vitals = openVitals({ ownCpu: 1000 });
  try {
    vitals.read();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const held = performance.now() + 300;
    while (performance.now() < held);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(vitals.read().lagMs, 0);
  } finally {
    vitals.close();
  }
});

test('the readings of this process are shares, and a loop that was held up is late', async () => {
  // On a loaded machine it may get no more of the processor.
  const vitals = openVitals({ ownCpu: 0 });
  try {
    const first = vitals.read();
    for (const share of [first.heap, first.rss, first.files ?? 0]) assert.ok(share >= 0 && share < 1, String(share));
    const held = performance.now() + 300;
    // After a look, so that the next one is late.
    await new Promise((resolve) => setTimeout(resolve, 50));
    while (performance.now() < held + 50);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(vitals.read().lagMs > 100);
  } finally {
    vitals.close();
  }
});
