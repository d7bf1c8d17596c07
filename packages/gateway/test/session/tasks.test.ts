// Legacy tasks where several backends meet: whose they are, under which ids, and that a slow owner holds up nobody.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notificationMessage, requestMessage, resultMessage } from '@mcp-overlay/relay';
import { openSession, type PlayedServer, paramsIn, playedBackend, resultIn, SILENCE } from './one-session.ts';

const RELATED = 'io.modelcontextprotocol/related-task';
const CAPABILITIES = { tasks: { list: {}, requests: { tools: { call: {} } } }, tools: {} };

function withTasks(id: string, list: () => Record<string, unknown>) {
  return playedBackend(id, (method) => {
    if (method === 'initialize') {
      return { protocolVersion: '2025-11-25', capabilities: CAPABILITIES, serverInfo: { name: id } };
    }
    return method === 'tasks/list' ? list() : undefined;
  });
}

/** The message with this method that the server got, once it has. */
async function got(server: PlayedServer | undefined, method: string) {
  for (;;) {
    const found = server?.got.find((message) => message.method === method);
    if (found) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('a backend that does not answer tasks/list holds up nobody, and is told that nobody waits', async () => {
  const slow = withTasks('slow', () => SILENCE);
  const quick = withTasks('quick', () => ({ tasks: [{ taskId: '1', status: 'working' }] }));
  await using house = openSession([slow, quick]);
  await house.shakeHands();
  assert.deepEqual(resultIn(await house.ask('tasks/list')), { tasks: [{ taskId: 'quick.1', status: 'working' }] });
  const asked = await got(slow.servers[0], 'tasks/list');
  const cancelled = await got(slow.servers[0], 'notifications/cancelled');
  assert.equal(String(paramsIn(cancelled).requestId), asked.id);
});

test('the task that a question belongs to has its public id at the client and its own at the server', async () => {
  const [one, other] = [withTasks('one', () => ({ tasks: [] })), withTasks('other', () => ({ tasks: [] }))];
  await using house = openSession([one, other]);
  await house.shakeHands({ elicitation: {} });
  one.servers[0]?.far.send(
    requestMessage('7', 'elicitation/create', { message: 'sure?', _meta: { [RELATED]: { taskId: 't.1', more: 2 } } }),
  );
  const asked = await house.notified('elicitation/create');
  assert.deepEqual((paramsIn(asked)._meta as Record<string, unknown>)[RELATED], { taskId: 'one.t.1', more: 2 });
  const answer = { action: 'accept', content: { ok: true }, _meta: { [RELATED]: { taskId: 'one.t.1', more: 2 } } };
  house.client.send(resultMessage(asked.id ?? '', answer));
  const isAnswer = () => one.servers[0]?.got.find(({ kind, id }) => kind === 'response' && id === '7');
  while (!isAnswer()) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(resultIn(isAnswer() as NonNullable<ReturnType<typeof isAnswer>>), {
    ...answer,
    _meta: { [RELATED]: { taskId: 't.1', more: 2 } },
  });
});

test('a call that names its task reaches the owner under the native id; the id of another backend is left alone', async () => {
  const [one, other] = [withTasks('one', () => ({ tasks: [] })), withTasks('other', () => ({ tasks: [] }))];
  await using house = openSession([one, other]);
  await house.shakeHands();
  for (const [taskId, native] of [
    ['one.5', '5'],
    ['other.5', 'other.5'],
  ]) {
    await house.ask('tools/call', { name: 'one__echo', arguments: {}, _meta: { [RELATED]: { taskId } } });
    const call = one.servers[0]?.got.filter(({ method }) => method === 'tools/call').at(-1);
    assert.ok(call);
    assert.deepEqual((paramsIn(call)._meta as Record<string, unknown>)[RELATED], { taskId: native });
  }
});

test('what a client tells of a task of its own goes to the server that had it made, and to no other', async () => {
  const [one, other] = [withTasks('one', () => ({ tasks: [] })), withTasks('other', () => ({ tasks: [] }))];
  await using house = openSession([one, other]);
  await house.shakeHands({ sampling: {}, tasks: { requests: { sampling: { createMessage: {} } } } });
  other.servers[0]?.far.send(requestMessage('1', 'sampling/createMessage', { messages: [], task: {} }));
  const asked = await house.notified('sampling/createMessage');
  house.client.send(resultMessage(asked.id ?? '', { task: { taskId: 'mine', status: 'working' } }));
  house.client.send(notificationMessage('notifications/tasks/status', { taskId: 'mine', status: 'completed' }));
  const told = await got(other.servers[0], 'notifications/tasks/status');
  assert.deepEqual(paramsIn(told), { taskId: 'mine', status: 'completed' });
  // A call that comes after it has reached `one` already when its answer is here.
  await house.ask('tools/call', { name: 'one__echo', arguments: {} });
  assert.ok(!one.servers[0]?.got.some(({ method }) => method === 'notifications/tasks/status'));
});
