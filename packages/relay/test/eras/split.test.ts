import assert from 'node:assert/strict';
import { test } from 'node:test';
import { META } from '../../src/eras/envelope.ts';
import { splitEras } from '../../src/eras/split.ts';
import { linkedTransports } from '../../src/testing/linked.ts';
import type { Transport } from '../../src/transport.ts';
import { Recorder } from '../transports/http/harness.ts';
import { modernMeta } from './played.ts';

function house() {
  const [far, near] = linkedTransports();
  const opened: string[] = [];
  const lanes = { legacy: lane('legacy', opened), modern: lane('modern', opened) };
  splitEras(near, { legacy: lanes.legacy.take, modern: lanes.modern.take });
  return { client: new Recorder(far), legacy: lanes.legacy.opened, modern: lanes.modern.opened, opened };
}

function lane(era: string, order: string[]) {
  let take: (client: Transport) => void = () => {};
  const opened = new Promise<Recorder>((resolve) => {
    take = (client) => {
      order.push(era);
      resolve(new Recorder(client));
    };
  });
  return { take, opened };
}

const modern = (id: string | number, method = 'tools/list') => ({
  jsonrpc: '2.0',
  id,
  method,
  params: { _meta: modernMeta() },
});

const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: {} };

test('each era has a lane of its own, opened by its first message, and both answer one client', async () => {
  const house1 = house();
  const { client, opened } = house1;
  client.send(modern(1, 'server/discover'));
  client.send({ ...initialize, id: 2 });
  client.send(modern(3));
  const newer = await house1.modern;
  const older = await house1.legacy;
  await newer.until(() => newer.messages.length === 2);
  await older.until(() => older.messages.length === 1);
  assert.deepEqual(opened, ['modern', 'legacy']);
  older.send({ jsonrpc: '2.0', id: 2, result: {} });
  newer.send({ jsonrpc: '2.0', id: 1, result: {} });
  await client.answer(1);
  await client.answer(2);
});

test('a legacy call that only quotes the envelope stays legacy', async () => {
  const { client, legacy, opened } = house();
  client.send({ ...initialize, params: { clientInfo: { [META.version]: 'odd' } } });
  const quoted = { name: 'x', arguments: { _meta: { [META.version]: '2026-07-28' } } };
  client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: quoted });
  const older = await legacy;
  await older.until(() => older.messages.length === 2);
  assert.deepEqual(opened, ['legacy']);
});

test('what takes a request back goes to the era of the request, whatever its id is', async () => {
  const { client, ...lanes } = house();
  client.send(initialize);
  client.send(modern('listen:0', 'subscriptions/listen'));
  client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'listen:0' } });
  client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 0 } });
  const newer = await lanes.modern;
  const older = await lanes.legacy;
  assert.equal((await newer.notice('notifications/cancelled')).params.requestId, 'listen:0');
  assert.equal((await older.notice('notifications/cancelled')).params.requestId, 0);
});

test('a lane that is slow stops its client, and lets it go on', async () => {
  const { client, legacy } = house();
  client.send(initialize);
  const older = await legacy;
  await older.until(() => older.messages.length === 1);
  older.transport.pause();
  client.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.equal(older.messages.length, 1);
  older.transport.resume();
  await older.notice('notifications/initialized');
});

test('the end of the client is the end of both lanes', async () => {
  const { client, ...lanes } = house();
  client.send(initialize);
  client.send(modern(1));
  const [older, newer] = await Promise.all([lanes.legacy, lanes.modern]);
  await client.transport.close({ code: 'done', reason: 'gone' });
  assert.deepEqual([(await older.end()).code, (await newer.end()).code], ['done', 'done']);
});
