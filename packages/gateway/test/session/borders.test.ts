import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notificationMessage, rawId, requestMessage } from '@mcp-overlay/relay';
import { openSession, paramsIn, playedBackend, resultIn, SILENCE } from './one-session.ts';

const cancelled = (text: string) => notificationMessage('notifications/cancelled', { requestId: rawId(text) });
const turns = async (until: () => boolean) => {
  while (!until()) await new Promise(setImmediate);
};

test('initialize cannot be cancelled: it is answered all the same', { timeout: 60_000 }, async () => {
  await using house = openSession([playedBackend('a'), playedBackend('b')]);
  house.client.send(requestMessage('7', 'initialize', { protocolVersion: '2025-11-25', capabilities: {} }));
  house.client.send(cancelled('7'));
  assert.ok(resultIn(await house.until(({ id }) => id === '7')).capabilities);
});

test('a call is cancelled under the id it had, also one that no double can carry', { timeout: 60_000 }, async () => {
  const slow = playedBackend('slow', (method) => (method === 'tools/call' ? SILENCE : undefined));
  await using house = openSession([slow, playedBackend('other')]);
  await house.shakeHands();
  const id = '12345678901234567891';
  await house.ask('tools/list');
  house.client.send(requestMessage(id, 'tools/call', { name: 'slow__echo' }));
  const got = slow.servers[0]?.got ?? [];
  await turns(() => got.some(({ method }) => method === 'tools/call'));
  house.client.send(cancelled(id));
  await turns(() => got.some(({ method }) => method === 'notifications/cancelled'));
  assert.equal(house.session.openCalls, 0);
});

test('progress counts for a call only if its own backend sends it', { timeout: 60_000 }, async () => {
  const slow = playedBackend('slow', (method) => (method === 'tools/call' ? SILENCE : undefined));
  const liar = playedBackend('liar');
  await using house = openSession([slow, liar]);
  await house.shakeHands();
  await house.ask('tools/list');
  house.client.send(requestMessage('90', 'tools/call', { name: 'slow__echo', _meta: { progressToken: 't' } }));
  await turns(() => slow.servers[0]?.got.some(({ method }) => method === 'tools/call') === true);
  const progress = (progress: number) =>
    notificationMessage('notifications/progress', { progressToken: 't', progress });
  liar.servers[0]?.far.send(progress(99));
  liar.servers[0]?.far.send(notificationMessage('notifications/message', { level: 'info', data: 'behind the lie' }));
  await house.notified('notifications/message');
  slow.servers[0]?.far.send(progress(1));
  assert.equal(paramsIn(await house.notified('notifications/progress')).progress, 1);
});

test('what a server asks or tells in the course of a task names the task as the client knows it', {
  timeout: 60_000,
}, async () => {
  const related = (taskId: string) => ({ 'io.modelcontextprotocol/related-task': { taskId } });
  const backend = playedBackend('a');
  await using house = openSession([backend, playedBackend('b')]);
  await house.shakeHands({ elicitation: {} });
  const far = backend.servers[0]?.far;
  far?.send(requestMessage('1', 'elicitation/create', { message: '?', _meta: related('t1') }));
  far?.send(notificationMessage('notifications/message', { level: 'info', data: '', _meta: related('t1') }));
  const asked = paramsIn(await house.until(({ method }) => method === 'elicitation/create'));
  const told = paramsIn(await house.notified('notifications/message'));
  for (const { _meta } of [asked, told]) {
    assert.deepEqual((_meta as Record<string, unknown>)['io.modelcontextprotocol/related-task'], { taskId: 'a.t1' });
  }
});
