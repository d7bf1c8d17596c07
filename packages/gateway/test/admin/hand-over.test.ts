// The conversation in which a share changes hands: what is agreed to is kept only if the other says that it has it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { tempOverlay } from '@mcp-overlay/overlay/testing';
import { conversation, type Request } from '../../src/admin/conversation.ts';
import { drain, handOver } from '../../src/admin/hand-over.ts';
import type { Departure } from '../../src/succession/departure.ts';
import type { Succession } from '../../src/succession/succession.ts';

const NEWS = { since: 's', until: 'u', successor: undefined, open: [] };

function played(leaving = false) {
  const did: string[] = [];
  const note = (word: string) => async (): Promise<void> => void did.push(word);
  const departure = { open: () => [], status: () => NEWS, gone: Promise.resolve(0) } as unknown as Departure;
  const succession: Succession = {
    departure: () => (leaving ? departure : undefined),
    left: new Promise(() => {}),
    drain: async () => departure,
    offer: async () => ({
      up: ['a'],
      shares: ['steady'],
      takeBack: note('take back'),
      taken: async ({ successor }) => {
        did.push(`taken by ${successor}`);
        return departure;
      },
    }),
    refuseOrders: () => {},
  };
  const place = {
    yield: () => ({ takeBack: note('take the socket back') }),
    moveAside: note('move aside'),
  };
  return { did, succession, place };
}

/** Both ends of a connection, ours as a conversation. */
async function joined(path: string) {
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const far = connect(path);
  await once(far, 'connect');
  const [near] = await accepted;
  server.close();
  let text = '';
  far.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const over = once(far, 'close');
  const heard = async (): Promise<string> => {
    await over;
    return text;
  };
  return { near: conversation(near), far, heard };
}

test('the other takes it: the socket moves aside before the gateway leaves, and both are told', async () => {
  await using temp = await tempOverlay();
  const { near, far, heard } = await joined(`${temp.home}.sock`);
  const { did, succession, place } = played();
  const handed = handOver(succession, place, {}, near);
  far.write('{"command":"taken","pid":42,"withinMs":1000}\n');
  await handed;
  assert.deepEqual(did, ['move aside', 'taken by 42']);
  const [agreed, left] = (await heard())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Request);
  assert.deepEqual(agreed, { ok: { pid: process.pid, up: ['a'], shares: ['steady'] } });
  assert.deepEqual(left, { ok: { open: 0 } });
});

for (const [what, end] of [
  ['it ends', (far: Socket) => far.destroy()],
  ['it says something else', (far: Socket) => far.write('{"command":"status"}\n')],
  ['it says nothing that can be read', (far: Socket) => far.write('}{\n')],
] as const) {
  test(`${what} instead: what was agreed to is taken back`, async () => {
    await using temp = await tempOverlay();
    const { near, far } = await joined(`${temp.home}.sock`);
    const { did, succession, place } = played();
    const handed = handOver(succession, place, {}, near);
    end(far);
    await handed;
    assert.deepEqual(did.sort(), ['take back', 'take the socket back']);
    far.destroy();
  });
}

test('one that is frozen is waited for five minutes', async (t) => {
  await using temp = await tempOverlay();
  const { near, far } = await joined(`${temp.home}.sock`);
  const { did, succession, place } = played();
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const handed = handOver(succession, place, {}, near);
  while (!far.bytesRead) await new Promise((resolve) => setImmediate(resolve));
  t.mock.timers.tick(299_999);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(did, []);
  t.mock.timers.tick(1);
  await handed;
  assert.deepEqual(did.sort(), ['take back', 'take the socket back']);
  far.destroy();
});

test('an ordinary start is agreed with only by a gateway that leaves anyway', async () => {
  await using temp = await tempOverlay();
  const stays = await joined(`${temp.home}.sock`);
  const first = played();
  await handOver(first.succession, first.place, { onlyIfLeaving: true }, stays.near);
  assert.equal(await stays.heard(), '{"ok":{"stays":true}}\n');
  const leaves = await joined(`${temp.home}2.sock`);
  const second = played(true);
  const handed = handOver(second.succession, second.place, { onlyIfLeaving: true }, leaves.near);
  leaves.far.end('{"command":"taken","pid":42,"withinMs":1000}\n');
  await handed;
  assert.deepEqual(second.did, ['move aside', 'taken by 42']);
});

test('who drains hears what is open and that it is over, and the connection ends with the process', async () => {
  await using temp = await tempOverlay();
  const { near, far, heard } = await joined(`${temp.home}.sock`);
  const { succession } = played();
  const drained = drain(succession, { withinMs: 1000 }, near);
  while (!far.bytesRead) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  far.end();
  await drained;
  const lines = (await heard())
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { ok: { cut?: number } }).ok.cut);
  assert.deepEqual(lines, [undefined, 0]);
});

test('who says more than is asked is cut', async () => {
  await using temp = await tempOverlay();
  const { near, far, heard } = await joined(`${temp.home}.sock`);
  far.write('{}\n'.repeat(40));
  await near.over;
  await heard();
});

test('times that are none end nothing: a drain is refused, and a successor that names one has not taken the share', async () => {
  await using temp = await tempOverlay();
  for (const withinMs of [undefined, 'soon', -1, 2 ** 31]) {
    const { near, far } = await joined(`${temp.home}.sock`);
    const { did, succession, place } = played();
    await assert.rejects(drain(succession, { withinMs }, near), { code: 'usage' });
    const handed = handOver(succession, place, {}, near);
    far.write(`${JSON.stringify({ command: 'taken', pid: 42, withinMs })}\n`);
    await handed;
    assert.deepEqual(did.sort(), ['take back', 'take the socket back']);
    far.destroy();
  }
});

test('it leaves although its admin socket cannot move aside: the share is the other one by then', async () => {
  await using temp = await tempOverlay();
  const { near, far } = await joined(`${temp.home}.sock`);
  const { did, succession, place } = played();
  const moveAside = () => Promise.reject(new Error('no space left on device'));
  const handed = handOver(succession, { ...place, moveAside }, {}, near);
  far.end('{"command":"taken","pid":42,"withinMs":1000}\n');
  await handed;
  assert.deepEqual(did, ['taken by 42']);
});
