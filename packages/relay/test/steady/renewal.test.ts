import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import {
  dialShare,
  type Message,
  notificationMessage,
  requestMessage,
  resultMessage,
  SteadySession,
} from '../../src/index.ts';
import { linkedTransports } from '../../src/testing/linked.ts';
import { type FakeServer, INIT, openSteady, shakenHands, WELCOME } from './one-server.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {} };
const INITIALIZED = 'notifications/initialized';

async function answerInitialize(server: FakeServer): Promise<Message> {
  for (;;) {
    const message = await server.got.next();
    if (message.method !== 'initialize') continue;
    server.far.send(resultMessage(message.id ?? '', WELCOME));
    return message;
  }
}

test('a host that forgets the session again while it is rebuilt does not end the link', { timeout: 4000 }, async () => {
  await using house = await shakenHands();
  house.first.events.renewed();
  assert.equal((await house.first.got.next()).method, 'initialize');
  house.first.events.renewed();
  await answerInitialize(house.first);
  house.session.send(requestMessage('5', 'tools/call', {}));
  for (;;) if ((await house.first.got.next()).id === '5') break;
  assert.equal(house.servers.length, 1);
  assert.equal(house.session.state.rebuilt, 1);
});

test('what the old host surely did not take is asked of the new one, what it took is unknown', {
  timeout: 4000,
}, async () => {
  await using house = await shakenHands();
  for (const id of ['5', '6']) house.session.send(requestMessage(id, 'tools/call', {}));
  for (;;) if ((await house.first.got.next()).id === '6') break;
  house.first.events.renewed(['6']);
  await answerInitialize(house.first);
  for (;;) {
    const message = await house.first.got.next();
    assert.notEqual(message.id, '5');
    if (message.id === '6') break;
  }
  const unknown = await house.client.next();
  assert.equal(unknown.id, '5');
  assert.match(unknown.bytes.toString(), /outcome unknown/);
});

test('a server that dies before `initialized` reaches it: its successor gets it', { timeout: 4000 }, async () => {
  await using house = openSteady();
  house.session.send(requestMessage('0', 'initialize', INIT));
  const first = await house.server(0);
  await answerInitialize(first);
  await house.client.next();
  first.far.break();
  const second = await house.server(1);
  const again = await second.got.next();
  house.session.send(notificationMessage(INITIALIZED));
  second.far.send(resultMessage(again.id ?? '', WELCOME));
  assert.equal((await second.got.next()).method, INITIALIZED);
});

test('ids of a restarted server stay JSON, and two that differ in type stay two', { timeout: 4000 }, async () => {
  await using house = await shakenHands();
  house.first.far.break();
  const second = await house.server(1);
  await answerInitialize(second);
  const ids = ['0', '"0"', '"a\\"b"', '"\\\\"'];
  for (const id of ids) second.far.send(requestMessage(id, 'ping'));
  const shown: string[] = [];
  while (shown.length < ids.length) {
    const message = await house.client.next();
    if (message.kind !== 'request') continue;
    JSON.parse(message.bytes.toString());
    shown.push(message.id ?? '');
    house.session.send(resultMessage(message.id ?? '', {}));
  }
  assert.equal(new Set(shown).size, ids.length);
  const answered: (string | undefined)[] = [];
  while (answered.length < ids.length) {
    const message = await second.got.next();
    if (message.kind === 'response') answered.push(message.id);
  }
  assert.deepEqual(answered, ids);
});

test('close waits for a server that is just being opened, and ends it', { timeout: 4000 }, async () => {
  const [near, far] = linkedTransports();
  let ended = false;
  far.start({ message: () => {}, fault: () => {}, closed: () => (ended = true) });
  let opened: () => void = () => {};
  const session = new SteadySession({
    name: 'backend fs',
    open: () => new Promise((resolve) => (opened = () => resolve(near))),
    backoff: { next: () => 0, note: () => {} },
    waitMs: 60_000,
    startMs: 60_000,
    unavailable: 'backend_unavailable',
  });
  session.start({ message: () => {}, fault: () => {}, closed: () => {} });
  const closed = session.close();
  setImmediate(opened);
  await closed;
  // The far end of the pair hears of it one turn later.
  await new Promise(setImmediate);
  assert.equal(ended, true);
});

test('a share is not dialled for a session that is over', { timeout: 4000 }, async () => {
  let dialled = 0;
  const connect = (signal: AbortSignal): Promise<Duplex> => {
    dialled += 1;
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  const events = { suspended: () => {}, resumed: () => {}, renewed: () => {} };
  const more = { session: '0'.repeat(32), via: [], by: 'test', events, log };
  await assert.rejects(dialShare({ name: 'share x', connect, signal: AbortSignal.abort(), ...more }));
  assert.ok(dialled <= 1);
});
