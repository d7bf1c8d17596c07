// A sample of test/long/sessions.long.ts: what sessions leave behind is nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { churn } from './churn.ts';

const SESSIONS = 600;
const WARM_UP = 300;

test(`${SESSIONS} sessions come and go: descriptors, timers and heap are as before`, {
  timeout: 120_000,
}, async (t) => {
  const { before, after } = await churn(SESSIONS, WARM_UP);
  t.diagnostic(`heap after GC: ${before.heap} before, ${after.heap} after`);
  assert.deepEqual([after.descriptors, after.resources], [before.descriptors, before.resources]);
  assert.ok(after.heap <= before.heap * 1.1, `${after.heap} bytes, ${before.heap} before`);
});
