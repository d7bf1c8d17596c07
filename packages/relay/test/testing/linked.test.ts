// The fake keeps the contract of transport.ts, so that tests above it do not lie.

import assert from 'node:assert/strict';
import test from 'node:test';
import { isFault, notificationMessage, readMessage } from '../../src/json-rpc.ts';
import { LIMITS } from '../../src/limits.ts';
import { linkedTransports } from '../../src/testing/linked.ts';
import type { Transport } from '../../src/transport.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function hear(transport: Transport): string[] {
  const heard: string[] = [];
  transport.start({
    message: ({ method }) => heard.push(method ?? ''),
    fault: ({ code }) => heard.push(`fault ${code}`),
    closed: ({ code }) => heard.push(`closed ${code}`),
  });
  return heard;
}

test('messages and faults arrive later, in order, also those sent before the start', async () => {
  const [left, right] = linkedTransports();
  left.send(notificationMessage('a'));
  const fault = readMessage(Buffer.from('[]'), LIMITS);
  assert.ok(isFault(fault));
  right.injectFault(fault);
  const heard = hear(right);
  left.send(notificationMessage('b'));
  assert.deepEqual(heard, []);
  await turn();
  assert.deepEqual(heard, ['a', 'fault batch', 'b']);
  assert.equal(left.sent.length, 2);
});

test('a paused peer fills up to the mark, then drains', async () => {
  const [left, right] = linkedTransports({ mark: 2 });
  const heard = hear(right);
  right.pause();
  assert.deepEqual([left.send(notificationMessage('a')), left.send(notificationMessage('b'))], [true, false]);
  let drained = false;
  const waiting = left.drained().then(() => {
    drained = true;
  });
  await turn();
  assert.deepEqual([drained, heard.length], [false, 0]);
  right.resume();
  await waiting;
  assert.deepEqual(heard, ['a', 'b']);
});

test('close reaches both ends once, behind what was sent before it', async () => {
  const [left, right] = linkedTransports();
  const here = hear(left);
  const there = hear(right);
  left.send(notificationMessage('a'));
  await Promise.all([left.close({ code: 'away', reason: 'gone' }), left.close(), right.close()]);
  assert.equal(left.send(notificationMessage('late')), true);
  await turn();
  assert.deepEqual(here, ['closed away']);
  assert.deepEqual(there.at(-1), 'closed away');
});

test('a break loses what was on the way', async () => {
  const [left, right] = linkedTransports();
  const here = hear(left);
  left.send(notificationMessage('a'));
  right.break();
  await turn();
  const there = hear(right);
  await turn();
  assert.deepEqual([here, there], [['closed connection_lost'], ['closed connection_lost']]);
});
