import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import {
  LIMITS,
  type Message,
  notificationMessage,
  parseMessage,
  requestMessage,
  spawnChild,
  streamTransport,
  type Transport,
} from '@mcp-overlay/relay';
import { openSession, playedBackend, resultIn } from './one-session.ts';

const MiB = 1024 * 1024;

/** Answers initialize, then reads nothing until `pauseMs` later, then everything. */
const SERVER = `
const { createInterface } = require('node:readline');
const pauseMs = Number(process.argv[1]);
const lines = createInterface({ input: process.stdin });
const say = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
lines.on('line', (line) => {
  const { id, method } = JSON.parse(line);
  const serverInfo = { name: 's', version: '1' };
  if (method === 'initialize') say(id, { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo });
  else if (method === 'tools/list') say(id, { tools: [{ name: 'take' }] });
  else if (id !== undefined) say(id, { content: [] });
  if (method === 'tools/list') { process.stdin.pause(); setTimeout(() => process.stdin.resume(), pauseMs); }
});`;

/** Joined by a socket, which holds little. */
async function sockets(): Promise<[Transport, Transport]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const here = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [there] = await accepted;
  server.close();
  const limits = { ...LIMITS, hardQueueBytes: Number.MAX_SAFE_INTEGER };
  return [
    streamTransport({ input: here, output: here, limits }),
    streamTransport({ input: there, output: there, limits: LIMITS }),
  ];
}

async function feed(pauseMs: number) {
  const slow = playedBackend('slow');
  const env = { PATH: process.env.PATH ?? '' };
  const args = ['-e', SERVER, String(pauseMs)];
  const open = async () => spawnChild({ name: 'slow', command: process.execPath, args, env, limits: LIMITS });
  const house = openSession([slow, playedBackend('good')], { listWaitMs: 5000 }, { slow: open }, await sockets());
  const send = (count: number) => {
    for (let id = 1; id <= count; id += 1) {
      const params = { name: 'slow__take', arguments: { text: 'x'.repeat(MiB) } };
      house.client.send(requestMessage(String(1000 + id), 'tools/call', params));
    }
  };
  const errorOf = ({ id }: { id: number }) =>
    house
      .until((message) => message.id === String(1000 + id))
      .then((message: Message) => {
        return (parseMessage(message) as { error?: { code: number; message: string } }).error;
      });
  return { ...house, send, errorOf };
}

test('a server that reads late gets everything, though it is more than may be queued', {
  timeout: 30_000,
}, async () => {
  await using house = await feed(1500);
  await house.shakeHands();
  await house.ask('tools/list');
  house.send(48);
  for (let id = 1; id <= 48; id += 1) assert.deepEqual(await house.errorOf({ id }), undefined, `call ${id}`);
});

test('one that does not read at all holds up the others for a while only, and is named', {
  timeout: 30_000,
}, async () => {
  await using house = await feed(600_000);
  await house.shakeHands();
  await house.ask('tools/list');
  house.send(48);
  assert.equal(resultIn(await house.ask('tools/call', { name: 'good__echo' })).by, 'good');
  const error = await house.errorOf({ id: 48 });
  assert.equal(error?.code, -31000);
  assert.match(error?.message ?? '', /backend slow does not read/);
  // What was sent to it is still its own to answer.
  assert.equal(house.inbox.filter(({ id }) => id === '1001').length, 0);
  house.client.send(notificationMessage('notifications/cancelled', { requestId: 1001 }));
});
