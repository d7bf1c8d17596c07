// Streams that break: what the client saw is not sent again, what it did not see is, on the same stream only.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpTransport } from '../../../src/transports/http/client.ts';
import {
  type Door,
  door,
  eventsOf,
  exchange,
  initializeRequest,
  messagesOf,
  newSession,
  open,
  POST_HEADERS,
  Recorder,
} from './harness.ts';

const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call' };
const PROGRESS = { ...CALL, params: { name: 'progress', arguments: { ping: false }, _meta: { progressToken: 't' } } };

/** A POST whose connection is cut after `count` events (the priming one included); all that was read of it. */
async function cutAfter(door_: Door, session: Record<string, string>, body: object, count: number): Promise<string> {
  const { request, response } = await open(door_.url, { headers: { ...POST_HEADERS, ...session }, body });
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (eventsOf(text).length >= count) break;
  }
  request.destroy();
  // What came in the same piece as the last event counts as unseen.
  const blocks = text.split('\n\n').slice(0, count);
  return `${blocks.join('\n\n')}\n\n`;
}

function resume(door_: Door, session: Record<string, string>, id: string): ReturnType<typeof exchange> {
  const headers = { accept: 'text/event-stream', ...session, 'last-event-id': id };
  return exchange(door_.url, { method: 'GET', headers });
}

for (const cut of [1, 2, 3, 4, 5]) {
  test(`a call's stream cut after event ${cut} is taken up where it ended, nothing lost or doubled`, async () => {
    await using door_ = await door();
    const session = await newSession(door_.url);
    const seen = await cutAfter(door_, session, PROGRESS, cut);
    const last = eventsOf(seen).at(-1)?.id ?? '';
    const rest = await resume(door_, session, last);
    const all = [...messagesOf(seen), ...messagesOf(rest.body)];
    assert.deepEqual(
      all.map(({ params, result }) => params?.progress ?? result.content[0].text),
      [1, 2, 3, 'done'],
    );
  });
}

test('a call that is still running answers on the stream that was taken up', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  const owner = await door_.owner();
  const seen = await cutAfter(door_, session, { ...CALL, params: { name: 'hold' } }, 1);
  await owner.until(() => owner.held.length === 1);
  assert.equal(owner.messages.filter(({ method }) => method === 'notifications/cancelled').length, 0);
  const rest = resume(door_, session, eventsOf(seen)[0]?.id ?? '');
  owner.result(owner.held[0]?.id, { late: true });
  assert.deepEqual(messagesOf((await rest).body), [{ jsonrpc: '2.0', id: 1, result: { late: true } }]);
});

test('an answer given while nobody was connected waits for the client', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  const owner = await door_.owner();
  const seen = await cutAfter(door_, session, { ...CALL, params: { name: 'hold' } }, 1);
  await owner.until(() => owner.held.length === 1);
  owner.result(owner.held[0]?.id, { late: true });
  const last = eventsOf(seen)[0]?.id ?? '';
  assert.equal(messagesOf((await resume(door_, session, last)).body).length, 1);
  // And again, as long as it is kept.
  assert.equal(messagesOf((await resume(door_, session, last)).body).length, 1);
});

test('a stream is replayed alone, under ids that no other stream has', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  const headers = { ...POST_HEADERS, ...session };
  const echo = (id: number): object => ({ ...CALL, id, params: { name: 'echo', arguments: { text: id } } });
  const bodies = await Promise.all([1, 2, 3, 4].map((id) => exchange(door_.url, { headers, body: echo(id) })));
  const ids = bodies.flatMap(({ body }) => eventsOf(body).map(({ id }) => id));
  assert.equal(ids.length, 8);
  assert.equal(new Set(ids).size, 8);
  const replay = await resume(door_, session, eventsOf(bodies[2]?.body ?? '')[0]?.id ?? '');
  assert.deepEqual(
    messagesOf(replay.body).map(({ id }) => id),
    [3],
  );
});

test('a stream that is not kept is refused for a call, and begun anew for a listener', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  for (const id of ['c99-0', 'nonsense', '', '../x']) assert.equal((await resume(door_, session, id)).status, 400);
  const headers = { accept: 'text/event-stream', ...session, 'last-event-id': 'g99-5' };
  const { request, response } = await open(door_.url, { method: 'GET', headers });
  assert.equal(response.statusCode, 200);
  request.destroy();
});

test('a client of an older revision gets no event without data', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url, '2025-06-18');
  const body = { ...CALL, params: { name: 'echo', arguments: { text: 'a' } } };
  const reply = await exchange(door_.url, { headers: { ...POST_HEADERS, ...session }, body });
  assert.deepEqual(
    eventsOf(reply.body).map(({ data }) => data === ''),
    [false],
  );
});

test('more events than are kept: the newest are replayed, and memory is bounded', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  const owner = await door_.owner();
  const body = { ...CALL, params: { name: 'hold', _meta: { progressToken: 5 } } };
  const seen = await cutAfter(door_, session, body, 1);
  await owner.until(() => owner.held.length === 1);
  for (let progress = 1; progress <= 1000; progress += 1) {
    owner.notify('notifications/progress', { progressToken: 5, progress });
  }
  owner.result(owner.held[0]?.id, {});
  const rest = messagesOf((await resume(door_, session, eventsOf(seen)[0]?.id ?? '')).body);
  assert.equal(rest.length, 256);
  assert.equal(rest.at(-2).params.progress, 1000);
  assert.deepEqual(rest.at(-1).result, {});
});

test('an answer larger than what is kept of a stream can still be fetched', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  const body = { ...CALL, params: { name: 'big', arguments: { bytes: 4_000_000 } } };
  const seen = await cutAfter(door_, session, body, 1);
  const rest = messagesOf((await resume(door_, session, eventsOf(seen)[0]?.id ?? '')).body);
  assert.equal(rest[0].result.content[0].text.length, 4_000_000);
});

test('what belongs to no call waits for a listener, and is told once', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  const owner = await door_.owner();
  owner.notify('notifications/tools/list_changed');
  owner.notify('notifications/resources/list_changed');
  const headers = { accept: 'text/event-stream', ...session };
  const first = await open(door_.url, { method: 'GET', headers });
  let text = '';
  for await (const chunk of first.response) {
    text += String(chunk);
    if (messagesOf(text).length === 2) break;
  }
  first.request.destroy();
  const second = await open(door_.url, { method: 'GET', headers });
  owner.notify('notifications/prompts/list_changed');
  text = '';
  for await (const chunk of second.response) {
    text += String(chunk);
    if (messagesOf(text).length === 1) break;
  }
  assert.equal(messagesOf(text)[0].method, 'notifications/prompts/list_changed');
  second.request.destroy();
});

test('too much that waits for a listener is dropped from the front, and dropped requests are answered', async () => {
  await using door_ = await door();
  await newSession(door_.url);
  const owner = await door_.owner();
  const asked = owner.ask('roots/list', {});
  for (let n = 0; n < 256; n += 1) owner.notify('notifications/tools/list_changed');
  assert.match((await asked).error.message, /no stream open/);
});

test('with one call open, the server asks on its stream; with two, on the listener', async () => {
  await using door_ = await door();
  const session = await newSession(door_.url);
  const owner = await door_.owner();
  const post = (id: number): ReturnType<typeof exchange> => {
    const body = { ...CALL, id, params: { name: 'hold' } };
    return exchange(door_.url, { headers: { ...POST_HEADERS, ...session }, body });
  };
  const listener = await open(door_.url, { method: 'GET', headers: { accept: 'text/event-stream', ...session } });
  let heard = '';
  listener.response.on('data', (chunk: Buffer) => {
    heard += String(chunk);
  });
  const first = post(1);
  await owner.until(() => owner.held.length === 1);
  owner.notify('notifications/message', { data: 'one open' });
  const second = post(2);
  await owner.until(() => owner.held.length === 2);
  owner.notify('notifications/message', { data: 'two open' });
  for (const { id } of owner.held) owner.result(id, {});
  const bodies = [(await first).body, (await second).body];
  assert.deepEqual(
    bodies.map((body) => messagesOf(body).length),
    [2, 1],
  );
  while (messagesOf(heard).length < 1) await new Promise((resolve) => listener.response.once('data', resolve));
  assert.equal(messagesOf(heard)[0].params.data, 'two open');
  listener.request.destroy();
});

test('our client takes a stream up by itself when its connection is cut at any event', async () => {
  await using door_ = await door();
  const client = new Recorder(httpTransport({ url: String(door_.url), protocol: 'streamable' }));
  client.send(initializeRequest());
  await client.answer(0);
  client.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  const owner = await door_.owner();
  const posts: import('node:net').Socket[] = [];
  door_.server.on('request', (request) => {
    if (request.method === 'POST') posts.push(request.socket);
  });
  for (const [at, cut] of [1, 2, 3].entries()) {
    const id = 10 + cut;
    const before = client.messages.length;
    client.send({ ...CALL, id, params: { name: 'hold', _meta: { progressToken: id } } });
    await owner.until(() => owner.held.length === at + 1);
    for (let progress = 1; progress <= cut; progress += 1) {
      owner.notify('notifications/progress', { progressToken: id, progress });
    }
    await client.until(() => client.messages.length === before + cut);
    posts.at(-1)?.destroy();
    owner.notify('notifications/progress', { progressToken: id, progress: 99 });
    owner.result(owner.held.at(-1)?.id, { cut });
    assert.deepEqual((await client.answer(id)).result, { cut });
    assert.equal(client.messages.length, before + cut + 2);
  }
  await client.transport.close();
});
