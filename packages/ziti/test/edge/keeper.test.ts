// How long a bind that was lost is left alone: a lost way is tried again soon, however often it failed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Keeper } from '../../src/edge/keeper.ts';
import { TIMING } from '../../src/edge/timing.ts';
import { ZitiError } from '../../src/errors.ts';

test('a router that cannot be reached is asked for again after `lostMaxMs` at most, after any number of failures', async () => {
  const timing = { ...TIMING, retryMinMs: 1, retryMaxMs: 3_600_000, lostMaxMs: 2 };
  const over = new AbortController();
  let attempts = 0;
  const keeper = new Keeper('router', {
    timing,
    stand: async () => {
      attempts += 1;
      // Doubling alone would wait for days by now.
      if (attempts === 40) over.abort();
      throw new ZitiError('controller_unreachable', 'nobody there');
    },
    channel: () => Promise.reject(new Error('never')),
    bind: () => {
      throw new Error('never');
    },
    onBound: () => {},
    onEnd: () => {},
    othersWait: () => false,
  });
  await keeper.run(over.signal);
  assert.equal(attempts, 40);
  assert.equal(keeper.bound, false);
});
