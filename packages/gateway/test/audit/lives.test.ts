// Sessions, refused callers and the operator's decisions on record; strangers do not fill the log.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../src/audit/audit-log.ts';
import { denialRecorder, recordAdmin, recordClosed, recordOpened } from '../../src/audit/lives.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';

const ALICE = { id: 'ziti:alice', name: 'alice', proven: true, via: 'ziti', groups: [] } as const;

test('a session is on record with who it is, what it may, and how it ended', async () => {
  const log = memoryAuditLog();
  recordOpened(log, { number: 3, principal: ALICE, roles: ['reader'], by: 'mcp-tools/1', view: 'support' });
  recordClosed(log, { number: 3, principal: ALICE }, 7, 'away');
  await log.saw(({ type }) => type === 'session.close');
  const who = { session: 3, ident: 'ziti:alice' };
  assert.deepEqual(log.events, [
    {
      type: 'session.open',
      ...who,
      name: 'alice',
      proven: true,
      via: 'ziti',
      roles: ['reader'],
      by: 'mcp-tools/1',
      view: 'support',
    },
    { type: 'session.close', ...who, calls: 7, reason: 'away' },
  ]);
});

test('callers who are turned away by the thousand are counted, not all recorded', async () => {
  const log = memoryAuditLog();
  let now = 0;
  const denied = denialRecorder(log, () => now);
  for (let n = 0; n < 5000; n += 1) denied({ claimed: `stranger ${n}`, code: 'peer_unproven' });
  now = 2500;
  for (let n = 0; n < 3; n += 1) denied({ ident: 'ziti:bob', code: 'peer_refused' });
  now = 10_000_000;
  for (let n = 0; n < 150; n += 1) denied({ code: 'proof_expired' });
  await log.saw((event) => event.type === 'auth.deny' && event.code === 'proof_expired' && log.events.length === 202);
  const unrecorded = (log.events as (AuditEvent & { unrecorded?: number })[]).map((event) => event.unrecorded ?? 0);
  assert.equal(log.events.length, 100 + 2 + 100);
  assert.deepEqual([unrecorded[99], unrecorded[100], unrecorded[101], unrecorded[102]], [0, 4900, 0, 1]);
  assert.deepEqual(log.events[100], { type: 'auth.deny', code: 'peer_refused', ident: 'ziti:bob', unrecorded: 4900 });
});

test('a decision that cannot be recorded is not made', async () => {
  const log = memoryAuditLog();
  await recordAdmin(log, 'peers allow', 'ziti:bob', 'owner');
  assert.deepEqual(log.events, [{ type: 'admin', what: 'peers allow', target: 'ziti:bob', by: 'owner' }]);
  log.fails = () => true;
  await assert.rejects(recordAdmin(log, 'peers allow', 'ziti:eve', 'owner'));
  recordClosed(log, { number: 3, principal: ALICE }, 7, 'away');
});
