import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, notificationMessage, requestMessage, resultMessage } from '../../src/index.ts';
import { errorOf, openSteady, shakenHands } from './one-server.ts';

const cancel = (requestId: number) => notificationMessage('notifications/cancelled', { requestId });

test('requests that the client took back hold no room, though servers never answer them', async () => {
  await using house = await shakenHands();
  const calls = LIMITS.callsPerSession + LIMITS.callsQueued + 1;
  for (let id = 1; id <= calls; id += 1) {
    house.session.send(requestMessage(String(id), 'tools/call', { name: 'slow' }));
    house.session.send(cancel(id));
  }
  house.session.send(requestMessage('9999', 'tools/call', { name: 'quick' }));
  house.first.far.send(resultMessage('9999', {}));
  const answer = await house.client.next();
  assert.deepEqual([answer.id, errorOf(answer)], ['9999', undefined]);
  await house.session.idle();
});

test('a lost server is not told to the client for a request that was taken back', async () => {
  await using house = await shakenHands();
  house.session.send(requestMessage('1', 'tools/call', { name: 'slow' }));
  house.session.send(cancel(1));
  house.session.send(requestMessage('2', 'tools/call', { name: 'slow' }));
  for (;;) if ((await house.first.got.next()).id === '2') break;
  house.first.far.break();
  assert.equal((await house.client.next()).id, '2');
});

test('initialize cannot be taken back: it is answered all the same', async () => {
  await using house = openSteady();
  house.session.send(requestMessage('0', 'initialize', {}));
  house.session.send(cancel(0));
  const server = await house.server(0);
  assert.equal((await server.got.next()).method, 'initialize');
  house.session.send(cancel(0));
  server.far.send(resultMessage('0', {}));
  assert.equal((await house.client.next()).id, '0');
});
