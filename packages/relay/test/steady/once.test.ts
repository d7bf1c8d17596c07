// Calls with a key, over hosts that keep outcomes and hosts that do not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, notificationMessage, requestMessage, resultMessage } from '../../src/index.ts';
import { errorOf, type FakeServer, shakenHands, WELCOME } from './one-server.ts';

const ONCE = { once: 60 };

async function answerInitialize(server: FakeServer): Promise<void> {
  for (;;) {
    const message = await server.got.next();
    if (message.method !== 'initialize') continue;
    server.far.send(resultMessage(message.id ?? '', WELCOME));
    return;
  }
}

/** What arrived at the server up to the request with this id. */
async function until(server: FakeServer, id: string): Promise<Message> {
  for (;;) {
    const message = await server.got.next();
    if (message.id === id && message.kind === 'request') return message;
  }
}

function call(id: string, number: number): Message {
  return requestMessage(id, 'tools/call', { name: 'act' }, number);
}

test('an open call with a key is asked again with the same key, after the handshake, however often the host forgets', {
  timeout: 4000,
}, async () => {
  await using house = await shakenHands();
  house.first.events.agreed?.(ONCE);
  house.session.send(call('5', 17));
  assert.equal((await until(house.first, '5')).call, 17);
  for (let round = 0; round < 3; round += 1) {
    house.first.events.agreed?.(ONCE);
    house.first.events.renewed();
    await answerInitialize(house.first);
    const again = await until(house.first, '5');
    assert.equal(again.call, 17);
    assert.equal(again.bytes.toString(), call('5', 17).bytes.toString());
  }
  house.first.far.send(resultMessage('5', { done: true }));
  house.first.far.send(resultMessage('5', { done: 'twice' }));
  house.session.send(requestMessage('6', 'ping'));
  await until(house.first, '6');
  house.first.far.send(resultMessage('6', {}));
  assert.match((await house.client.next()).bytes.toString(), /"done":true/);
  assert.equal((await house.client.next()).id, '6');
});

test('a call that was sent to a host which keeps nothing is unknown, though its successor keeps outcomes', {
  timeout: 4000,
}, async () => {
  await using house = await shakenHands();
  house.first.events.agreed?.({});
  house.session.send(call('5', 17));
  await until(house.first, '5');
  house.first.events.agreed?.(ONCE);
  house.first.events.renewed();
  assert.equal(errorOf(await house.client.next())?.data?.error, 'outcome_unknown');
  await answerInitialize(house.first);
  house.session.send(requestMessage('6', 'ping'));
  await until(house.first, '6');
  assert.equal(house.first.got.all.filter(({ id }) => id === '5').length, 1);
});

test('a successor that keeps nothing is not asked again: the call is unknown', { timeout: 4000 }, async () => {
  await using house = await shakenHands();
  house.first.events.agreed?.(ONCE);
  house.session.send(call('5', 17));
  await until(house.first, '5');
  house.first.events.agreed?.({});
  house.first.events.renewed();
  await answerInitialize(house.first);
  const { id, ...answer } = await house.client.next();
  assert.equal(id, '5');
  assert.equal(errorOf({ id, ...answer })?.data?.error, 'outcome_unknown');
  assert.equal(house.first.got.all.filter(({ method }) => method === 'tools/call').length, 1);
});

test('a call without a key is unknown, whatever the host keeps', { timeout: 4000 }, async () => {
  await using house = await shakenHands();
  house.first.events.agreed?.(ONCE);
  house.session.send(requestMessage('5', 'tools/call', {}));
  await until(house.first, '5');
  house.first.events.renewed();
  assert.equal(errorOf(await house.client.next())?.data?.error, 'outcome_unknown');
});

test('no call is asked again that is older than its host keeps outcomes: it is unknown, once', {
  timeout: 8000,
}, async () => {
  await using house = await shakenHands();
  house.first.events.agreed?.({ once: 1 });
  house.session.send(call('5', 17));
  await until(house.first, '5');
  // The host is gone, and nobody answers at its place.
  house.first.events.renewed();
  const answer = await house.client.next();
  assert.equal(errorOf(answer)?.data?.error, 'outcome_unknown');
  await answerInitialize(house.first);
  house.session.send(requestMessage('6', 'ping'));
  await until(house.first, '6');
  assert.equal(house.first.got.all.filter(({ id }) => id === '5').length, 1);
});

test('a way that stays broken: a call with a key waits for it, as long as its outcome is kept', {
  timeout: 4000,
}, async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  await using house = await shakenHands();
  house.first.events.agreed?.({ once: 86_400 });
  house.session.send(call('5', 17));
  house.session.send(requestMessage('6', 'tools/call', {}));
  await until(house.first, '6');
  house.first.events.suspended('the network is gone');
  context.mock.timers.tick(600_000);
  const lost = await house.client.next();
  assert.equal(lost.id, '6');
  assert.equal(errorOf(lost)?.data?.error, 'outcome_unknown');
  house.first.events.resumed();
  house.first.far.send(resultMessage('5', { late: true }));
  assert.match((await house.client.next()).bytes.toString(), /"late":true/);
});

test('a session that ends says of a call that waits to be asked again that its outcome is unknown', {
  timeout: 4000,
}, async () => {
  const house = await shakenHands();
  house.first.events.agreed?.(ONCE);
  house.session.send(call('5', 17));
  await until(house.first, '5');
  house.first.events.renewed();
  house.session.send(requestMessage('6', 'ping'));
  await house.session.close({ code: 'away', reason: 'the program ends' });
  const errors = [await house.client.next(), await house.client.next()].map((answer) => [
    answer.id,
    errorOf(answer)?.data?.error,
  ]);
  assert.deepEqual(errors, [
    ['5', 'outcome_unknown'],
    ['6', 'backend_unavailable'],
  ]);
});

for (const [kept, said] of [
  [true, undefined],
  [false, /is gone/],
  [undefined, /may be gone/],
] as const) {
  test(`what is told of a server's memory is true: kept ${kept}`, { timeout: 4000 }, async () => {
    const welcome = { ...WELCOME, capabilities: { logging: {} } };
    await using house = await shakenHands({}, welcome);
    const terms = kept === undefined ? {} : { kept };
    house.first.events.agreed?.(terms);
    house.first.events.renewed();
    for (;;) {
      const message = await house.first.got.next();
      if (message.method === 'initialize') {
        house.first.far.send(resultMessage(message.id ?? '', welcome));
        break;
      }
    }
    house.session.send(requestMessage('5', 'ping'));
    await until(house.first, '5');
    house.first.far.send(notificationMessage('notifications/message', { data: 'end' }));
    const first = (await house.client.next()).bytes.toString();
    if (said === undefined) assert.match(first, /"end"/);
    else assert.match(first, said);
  });
}

test('a host with another ledger is not asked: there the same key would run anew', { timeout: 4000 }, async () => {
  await using house = await shakenHands();
  house.first.events.agreed?.({ ...ONCE, ledger: 'a'.repeat(32) });
  for (const id of ['5', '6']) house.session.send(call(id, Number(id)));
  await until(house.first, '6');
  house.first.events.agreed?.({ ...ONCE, ledger: 'b'.repeat(32) });
  // The old host said goodbye and had not taken the second one.
  house.first.events.renewed(['6']);
  await answerInitialize(house.first);
  assert.equal((await until(house.first, '6')).call, 6);
  const lost = await house.client.next();
  assert.deepEqual([lost.id, errorOf(lost)?.data?.error], ['5', 'outcome_unknown']);
  assert.equal(house.first.got.all.filter(({ id }) => id === '5').length, 1);
});

test('what was sent twice and not taken the second time may have run the first time', { timeout: 4000 }, async () => {
  await using house = await shakenHands();
  const [a, b] = ['a', 'b'].map((letter) => ({ ...ONCE, ledger: letter.repeat(32) }));
  house.first.events.agreed?.(a ?? {});
  house.session.send(call('5', 5));
  await until(house.first, '5');
  house.first.events.agreed?.(a ?? {});
  house.first.events.renewed();
  await answerInitialize(house.first);
  await until(house.first, '5');
  house.first.events.agreed?.(b ?? {});
  house.first.events.renewed(['5']);
  await answerInitialize(house.first);
  assert.equal(errorOf(await house.client.next())?.data?.error, 'outcome_unknown');
});
