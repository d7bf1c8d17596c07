// Notifications that no server gets to see are on record all the same: counted, and no more records than a burst is worth.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { META, notificationMessage } from '@mcp-overlay/relay';
import { type DroppedNotification, droppedNotifications } from '../../src/audit/dropped.ts';
import { AUDIT_LIMITS } from '../../src/audit/limits.ts';
import { accessOf } from '../../src/policy/access.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';
import { person, policyOf } from '../policy/rules-of.ts';
import { openSession, playedBackend } from '../session/one-session.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was recorded
type Json = any;

const ACTOR = { session: 1, ident: 'ziti:ann' };

async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
}

function recorder() {
  const log = memoryAuditLog();
  const dropped = droppedNotifications({ log, actor: ACTOR, receipts: false, warn: () => {} });
  const note = (method: string, more: Partial<DroppedNotification> = {}): void =>
    dropped.note({ method, params: { n: 1 }, code: 'rule', backend: 'fs', ...more });
  return { log, dropped, note };
}

test('a burst is one record for each method and reason, with how many they were', async () => {
  const { log, dropped, note } = recorder();
  for (let n = 0; n < 500; n += 1) note('notifications/act', { params: { n } });
  note('notifications/act', { code: 'limited', why: 'identities.default.rate' });
  note('tools/call');
  assert.equal(log.events.length, 0);
  dropped.close();
  await settled();
  const said = log.events.map((event: Json) => [event.method, event.status, event.code, event.decision, event.count]);
  assert.deepEqual(said, [
    ['notifications/act', 'refused', 'rule', 'deny', 500],
    ['notifications/act', 'refused', 'limited', undefined, 1],
    ['tools/call', 'refused', 'rule', 'deny', 1],
  ]);
  const [first] = log.events as Json[];
  assert.deepEqual([first.session, first.ident, first.backend, first.args], [1, 'ziti:ann', 'fs', { n: 0 }]);
});

test('a burst ends by itself, and the next one is another', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { log, note } = recorder();
  for (let round = 0; round < 3; round += 1) {
    note('a');
    t.mock.timers.tick(AUDIT_LIMITS.burstMs - 1);
    note('a');
    assert.equal(log.events.length, round);
    t.mock.timers.tick(1);
    await settled();
  }
  assert.deepEqual(
    log.events.map((event: Json) => event.count),
    [2, 2, 2],
  );
});

test('any number of methods is a few records, and none is left uncounted', async () => {
  const { log, dropped, note } = recorder();
  for (let n = 0; n < 1000; n += 1) note(`notifications/${n}`);
  dropped.close();
  await settled();
  assert.equal(log.events.length, AUDIT_LIMITS.burstMethods);
  assert.equal(
    log.events.reduce((sum, event: Json) => sum + event.count, 0),
    1000,
  );
});

test('a log that cannot be written, or is off, harms nobody', async () => {
  const { log, dropped, note } = recorder();
  log.fails = () => true;
  note('a');
  dropped.close();
  await settled();
  assert.equal(log.events.length, 0);
  droppedNotifications(undefined).note({ method: 'a', params: {}, code: 'rule' });
});

test('a session: refused by rules, with a key twice, for a server that is away; what is harmless leaves no record', async () => {
  const policy = await policyOf(`roles: { r: [ { allow: { backends: [fs, db], methods: [notifications/ok] } } ] }
identities: { "ziti:ann": [r] }
`);
  const log = memoryAuditLog();
  const backends = [playedBackend('fs'), playedBackend('db')];
  for (const backend of backends) backend.available = backend.id === 'fs';
  const filters = new Map(backends.map(({ id }) => [id, () => 'all tools']));
  const accessFor = (_who: unknown, session: number) => accessOf(policy, filters, person('ann'), session);
  const house = openSession(backends, { accessFor, audit: { log, receipts: false } });
  await house.shakeHands();
  house.client.send(notificationMessage('notifications/ok', { a: 1 }));
  house.client.send(notificationMessage('notifications/no', { a: 2 }));
  house.client.send(notificationMessage('notifications/roots/list_changed'));
  const twice = '{"jsonrpc":"2.0","method":"notifications/ok","params":{"a":1,"a":2}}';
  house.client.send({ kind: 'notification', id: undefined, method: 'notifications/ok', bytes: Buffer.from(twice) });
  await house.ask('ping');
  await log.saw((event: Json) => event.type === 'call.outcome' && event.status === 'ok');
  await house[Symbol.asyncDispose]();
  await settled();
  const said = log.events
    .filter((event: Json) => event.status === 'refused')
    .map(({ method, backend, code, count }: Json) => [method, backend, code, count].join(' '));
  assert.deepEqual(said.sort(), [
    'notifications/no db backend_unavailable 1',
    'notifications/no fs rule 1',
    'notifications/ok  invalid_params 1',
    'notifications/ok db backend_unavailable 1',
  ]);
  const got = backends[0]?.servers.flatMap(({ got }) => got.map(({ method }) => method)) ?? [];
  assert.equal(got.filter((method) => method === 'notifications/ok').length, 1);
  assert.ok(!got.includes('notifications/no'));
});

test('the modern era knows no notification of clients but one: another is on record', async () => {
  const log = memoryAuditLog();
  const house = openSession([playedBackend('fs')], { audit: { log, receipts: false } });
  const _meta = { [META.version]: '2026-07-28', [META.clientCapabilities]: {} };
  await house.ask('server/discover', { _meta });
  house.client.send(notificationMessage('notifications/act', { _meta, a: 1 }));
  house.client.send(notificationMessage('notifications/cancelled', { _meta, requestId: 7 }));
  await house.ask('tools/list', { _meta });
  await house[Symbol.asyncDispose]();
  await settled();
  const refused = log.events.filter((event: Json) => event.status === 'refused') as Json[];
  assert.deepEqual(
    refused.map(({ method, code, count, args }) => [method, code, count, args]),
    [['notifications/act', 'method_not_found', 1, { a: 1 }]],
  );
});
