// Subscriptions of a modern client over servers that are lost.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { META } from '../../src/eras/envelope.ts';
import { modernMeta, modernServer, PlayedClient, PlayedHost, SILENT, steadyOn } from '../eras/played.ts';

const LISTEN = { notifications: { toolsListChanged: true, promptsListChanged: true }, _meta: modernMeta() };

function house() {
  const host = new PlayedHost(
    modernServer((method, _params, server, id) => {
      if (method !== 'subscriptions/listen') return undefined;
      const _meta = { [META.subscription]: JSON.parse(id) };
      server.notify('notifications/subscriptions/acknowledged', { _meta, notifications: { toolsListChanged: true } });
      return SILENT;
    }),
  );
  const steady = steadyOn(host.open);
  const client = new PlayedClient(steady);
  return { host, steady, client };
}

test('a lost server is listened to again: acknowledged once, told that lists may have changed, however often', async () => {
  const { host, client } = house();
  client.send({ jsonrpc: '2.0', id: 'L', method: 'subscriptions/listen', params: LISTEN });
  await client.notice('notifications/subscriptions/acknowledged');
  for (let loss = 1; loss <= 3; loss += 1) {
    host.last.far.break();
    await client.until(() => client.notices('notifications/tools/list_changed').length === loss);
  }
  assert.equal(host.lives.length, 4);
  assert.equal(client.notices('notifications/subscriptions/acknowledged').length, 1);
  assert.equal(client.notices('notifications/prompts/list_changed').length, 0);
  const [first] = client.notices('notifications/tools/list_changed');
  assert.deepEqual(first.params, { _meta: { [META.subscription]: 'L' } });
  await client.transport.close();
});

test('an open subscription keeps no session from ending, and is ended gracefully with it', async () => {
  const { steady, client } = house();
  client.send({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: LISTEN });
  await client.notice('notifications/subscriptions/acknowledged');
  await steady.idle();
  await steady.drain();
  await steady.close();
  const { result } = await client.answer(1);
  assert.deepEqual(result, { resultType: 'complete', _meta: { [META.subscription]: 1 } });
});

test('one that is taken back is not asked again, and its id may be used anew', async () => {
  const { host, client } = house();
  client.send({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: LISTEN });
  await client.notice('notifications/subscriptions/acknowledged');
  client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
  await host.last.until(({ method }) => method === 'notifications/cancelled');
  host.last.far.break();
  const list = await client.ask('tools/list', { _meta: modernMeta() });
  assert.equal(list.result.resultType, 'complete');
  assert.ok(!host.last.got.some(({ method }) => method === 'subscriptions/listen'));
  client.send({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: LISTEN });
  await client.until(() => client.notices('notifications/subscriptions/acknowledged').length === 2);
  await client.transport.close();
});
