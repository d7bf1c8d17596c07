// The gate before a session: what waits while it is shut, what passes, and what becomes of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, notificationMessage, parseMessage, requestMessage, resultMessage } from '@mcp-overlay/relay';
import { linkedTransports } from '@mcp-overlay/relay/testing';
import { RequestGate } from '../../src/session/request-gate.ts';

function gated(maxBytes = 1 << 20) {
  const [client, near] = linkedTransports();
  const gate = new RequestGate(near, maxBytes);
  const [above, heard]: [Message[], Message[]] = [[], []];
  let wake: () => void = () => {};
  const started = (to: Message[]) => ({
    message: (message: Message) => {
      to.push(message);
      wake();
    },
    fault: () => {},
    closed: () => wake(),
  });
  gate.start(started(above));
  client.start(started(heard));
  const until = async (fits: () => boolean): Promise<void> => {
    while (!fits()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return { client, gate, above, heard, until };
}

test('while it is shut requests wait and everything else passes; reopened, they pass in order', async () => {
  const { client, gate, above, until } = gated();
  gate.shut();
  for (const id of ['1', '2']) client.send(requestMessage(id, 'tools/call', {}));
  client.send(notificationMessage('notifications/progress', {}));
  client.send(resultMessage('"asked"', {}));
  await until(() => above.length === 2);
  assert.deepEqual(
    above.map(({ method, kind }) => method ?? kind),
    ['notifications/progress', 'response'],
  );
  gate.reopen();
  assert.deepEqual(
    above.slice(2).map(({ id }) => id),
    ['1', '2'],
  );
  client.send(requestMessage('3', 'ping', {}));
  await until(() => above.length === 5);
});

test('a request that waits can be taken back, and nobody behind hears of either', async () => {
  const { client, gate, above, until } = gated();
  gate.shut();
  client.send(requestMessage('1', 'tools/call', {}));
  client.send(requestMessage('2', 'tools/call', {}));
  client.send(notificationMessage('notifications/cancelled', { requestId: 1 }));
  client.send(notificationMessage('notifications/cancelled', { requestId: 77 }));
  await until(() => above.length === 1);
  assert.equal(above[0]?.method, 'notifications/cancelled', 'that of an open request passes');
  gate.reopen();
  assert.deepEqual(
    above.slice(1).map(({ id }) => id),
    ['2'],
  );
});

test('closed while requests wait, each is told that it was not run, before the end', async () => {
  const { client, gate, above, heard, until } = gated();
  gate.shut();
  for (const id of ['1', '2']) client.send(requestMessage(id, 'tools/call', {}));
  client.send(notificationMessage('notifications/initialized'));
  await until(() => above.length === 1);
  await gate.close({ code: 'away', reason: 'it leaves' });
  await until(() => heard.length === 2);
  for (const answer of heard) {
    const { error } = parseMessage(answer) as { error: { data: { error: string; retryAfterMs: number } } };
    assert.equal(error.data.error, 'ending');
    assert.ok(error.data.retryAfterMs > 0);
  }
});

test('above its mark the client is not read until the requests went on', async () => {
  const { client, gate, above, until } = gated(300);
  gate.shut();
  client.send(notificationMessage('notifications/first'));
  await until(() => above.length === 1);
  for (let id = 0; id < 50; id += 1) client.send(requestMessage(String(id), 'tools/call', { name: 'echo' }));
  client.send(notificationMessage('notifications/last'));
  // What it takes before it is full, and no more; its owner may pause and resume meanwhile.
  gate.pause();
  gate.resume();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(above.length, 1, 'the last one is behind requests that are not read');
  gate.reopen();
  await until(() => above.length === 52);
  assert.equal(above.at(-1)?.method, 'notifications/last');
});
