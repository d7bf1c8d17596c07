// Twenty thousand sessions come and go. Another count: SESSIONS=1000.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { churn } from '../chaos/churn.ts';

const SESSIONS = Number(process.env.SESSIONS ?? 20_000);
/** The ledger of calls remembers 4,096 sessions that ended. */
const WARM_UP = 5000;

test(`${SESSIONS} sessions come and go: descriptors, timers and heap are as before`, async (t) => {
  const { before, after } = await churn(SESSIONS, WARM_UP);
  t.diagnostic(`heap after GC: ${before.heap} before, ${after.heap} after`);
  assert.deepEqual([after.descriptors, after.resources], [before.descriptors, before.resources]);
  assert.ok(after.heap <= before.heap * 1.1, `${after.heap} bytes, ${before.heap} before`);
});
