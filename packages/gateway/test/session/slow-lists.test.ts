import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Message, resultMessage } from '@mcp-overlay/relay';
import { openSession, playedBackend, resultIn, SILENCE } from './one-session.ts';

const LIST_CHANGED = 'notifications/tools/list_changed';
const namesIn = (list: Message) => (resultIn(list).tools as { name: string }[]).map(({ name }) => name);

test('a server that never answers a list is left out, the others are listed and called', {
  timeout: 60_000,
}, async () => {
  const hanging = playedBackend('hang', (method) => (method === 'tools/list' ? SILENCE : undefined));
  const good = playedBackend('good');
  await using house = openSession([hanging, good]);
  await house.shakeHands();
  assert.deepEqual(namesIn(await house.ask('tools/list')), ['good__echo']);
  assert.equal(resultIn(await house.ask('tools/call', { name: 'good__echo' })).by, 'good');
  // Also when the table of names has to be made anew.
  good.servers[0]?.far.send({
    kind: 'notification',
    id: undefined,
    method: LIST_CHANGED,
    bytes: Buffer.from(`{"jsonrpc":"2.0","method":"${LIST_CHANGED}"}`),
  });
  await house.notified(LIST_CHANGED);
  assert.equal(resultIn(await house.ask('tools/call', { name: 'good__echo' })).by, 'good');
});

test('a list that came late is announced once, and is there from then on', { timeout: 60_000 }, async () => {
  const waiting: (() => void)[] = [];
  const slow = playedBackend('slow', (method, _params, server) => {
    if (method !== 'tools/list') return undefined;
    const { id = '' } = server.got.at(-1) ?? {};
    waiting.push(() => server.far.send(resultMessage(id, { tools: [{ name: 'late' }] })));
    return SILENCE;
  });
  await using house = openSession([slow, playedBackend('good')]);
  await house.shakeHands();
  assert.deepEqual(namesIn(await house.ask('tools/list')), ['good__echo']);
  waiting.shift()?.();
  await house.notified(LIST_CHANGED);
  // It is slow again: what is known of it is shown, and nothing is announced that was shown.
  assert.deepEqual(namesIn(await house.ask('tools/list')), ['slow__late', 'good__echo']);
  waiting.shift()?.();
  assert.deepEqual(namesIn(await house.ask('tools/list')), ['slow__late', 'good__echo']);
  assert.deepEqual(
    house.inbox.map(({ method }) => method),
    [],
  );
});

test('a single server may take its time for a list', { timeout: 60_000 }, async () => {
  let answer: () => void = () => {};
  const slow = playedBackend('slow', (method, _params, server) => {
    if (method !== 'tools/list') return undefined;
    const { id = '' } = server.got.at(-1) ?? {};
    answer = () => server.far.send(resultMessage(id, { tools: [{ name: 'late' }] }));
    return SILENCE;
  });
  await using house = openSession([slow], { listWaitMs: 5 });
  await house.shakeHands();
  const listed = house.ask('tools/list');
  while (!slow.servers[0]?.got.some(({ method }) => method === 'tools/list')) await new Promise(setImmediate);
  setTimeout(() => answer(), 50);
  assert.deepEqual(namesIn(await listed), ['late']);
});

test('a list asked while a server was restarting is followed by list_changed when the server is back', {
  timeout: 60_000,
}, async () => {
  const restarted = playedBackend('fs');
  await using house = openSession([restarted, playedBackend('good')]);
  await house.shakeHands();
  restarted.available = false;
  restarted.servers[0]?.far.break();
  while (house.session.backendStates()[0]?.phase === 'up') await new Promise(setImmediate);
  assert.deepEqual(namesIn(await house.ask('tools/list')), ['good__echo']);
  restarted.available = true;
  await house.notified(LIST_CHANGED);
  assert.deepEqual(namesIn(await house.ask('tools/list')), ['fs__echo', 'good__echo']);
});

test('a server that never answers a list is asked anew after the time of a call', { timeout: 60_000 }, async () => {
  let asked = 0;
  const hanging = playedBackend('hang', (method) => {
    if (method !== 'tools/list') return undefined;
    asked += 1;
    return asked === 1 ? SILENCE : undefined;
  });
  await using house = openSession([hanging, playedBackend('good')], { callTimeoutMs: 300 });
  await house.shakeHands();
  assert.deepEqual(namesIn(await house.ask('tools/list')), ['good__echo']);
  const server = hanging.servers[0];
  while (!server?.got.some(({ method }) => method === 'notifications/cancelled')) await new Promise(setImmediate);
  assert.deepEqual(namesIn(await house.ask('tools/list')), ['hang__echo', 'good__echo']);
});
