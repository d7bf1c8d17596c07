import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorMessage, type Message, notificationMessage, requestMessage, resultMessage } from '../../src/index.ts';
import { settle } from '../link/support.ts';
import { type Dialer, type House, heard, house, INIT, notification, request, type Served } from './support.ts';

const INITIALIZED = notification('notifications/initialized');

function only<T>(items: readonly T[]): T {
  const [item] = items;
  assert.equal(items.length, 1);
  return item as T;
}

/** A client has shaken hands. */
async function greeted(options: Parameters<typeof house>[0] = {}): Promise<House & { first: Dialer; server: Served }> {
  const all = house(options);
  const first = await all.dial();
  first.send(request('1', 'initialize', INIT));
  await settle();
  const server = only(all.served);
  server.accepted.transport.send(resultMessage('1', { hello: 1 }));
  await first.message();
  first.send(INITIALIZED);
  await settle();
  return { ...all, first, server };
}

/** The same session over another link. */
async function again(all: House, more?: Record<string, unknown>): Promise<Dialer> {
  const next = await all.dial(more);
  next.send(request('1', 'initialize', INIT));
  assert.deepEqual(await next.message(), { jsonrpc: '2.0', id: 1, result: { hello: 1 } });
  next.send(INITIALIZED);
  await settle();
  return next;
}

function params(message: Message | undefined): Record<string, unknown> {
  return (JSON.parse(message?.bytes.toString() ?? '{}') as { params: Record<string, unknown> }).params;
}

test('the next link of a session goes on with it: one handshake, whatever happened to the first link', async () => {
  const ways: ((first: Dialer) => void)[] = [
    ({ raw }) => void raw.end.destroy(),
    ({ raw }) => raw.write('!close {"code":"away","reason":"restarted"}'),
  ];
  for (const lose of ways) {
    const all = await greeted();
    assert.equal(all.first.welcome.kept, undefined);
    lose(all.first);
    await settle();
    const second = await again(all, { link: 'ab'.repeat(16) });
    assert.equal(second.welcome.fresh, true);
    assert.equal(second.welcome.kept, true);
    assert.deepEqual(heard(all.server), ['request initialize 1', 'notification notifications/initialized']);
    assert.deepEqual(all.returned, [[all.server, 'owner']]);
    second.send(request('2', 'tools/list'));
    await settle();
    all.server.accepted.transport.send(resultMessage(all.server.got.at(-1)?.id ?? '', { tools: [] }));
    assert.deepEqual(await second.message(), { jsonrpc: '2.0', id: 2, result: { tools: [] } });
    assert.equal(all.server.accepted.link?.stats().state, 'up');
    second.send('!close {"code":"done","reason":""}');
    await settle();
    assert.equal(all.server.closed?.code, 'done');
  }
});

test('an answer for the client that is gone does not reach its successor, though both counted alike', async () => {
  const all = await greeted();
  all.first.send(request('2', 'tools/list'), request('3', 'tools/call', '{}', 7));
  await settle();
  all.first.raw.end.destroy();
  await settle();
  const second = await again(all);
  const cancelled = all.server.got.at(-1);
  assert.equal(cancelled?.method, 'notifications/cancelled');
  assert.equal(params(cancelled).requestId, 2);
  second.send(request('2', 'ping'), request('3', 'tools/call', '{"other":1}', 8), request('4', 'tools/call', '{}', 7));
  await settle();
  const { transport } = all.server.accepted;
  const [ping, eight, seven] = all.server.got.slice(-3);
  // Those of the first client, late.
  transport.send(resultMessage('2', { of: 'first' }));
  transport.send(resultMessage('3', { of: 'first' }));
  for (const [message, of] of [
    [seven, 'seven'],
    [eight, 'eight'],
    [ping, 'ping'],
  ] as const)
    transport.send(resultMessage(message?.id ?? '', { of }));
  const answers = [await second.message(), await second.message(), await second.message()];
  assert.deepEqual(
    answers.map(({ id, result }) => [id, (result as { of: string }).of]),
    [
      [4, 'seven'],
      [3, 'eight'],
      [2, 'ping'],
    ],
  );
  assert.deepEqual([ping?.call, eight?.call, seven?.call], [undefined, 8, 7]);
});

test('what a client takes back is taken back under the id that the server knows; ids of every kind come back whole', async () => {
  const all = await greeted();
  all.first.raw.end.destroy();
  const second = await again(all);
  for (const id of ['5', '"5"', '"a\\"\\u0000:b"', '-0', '1.5']) {
    second.send(request(id, 'tools/call', '{}'));
    await settle();
    const known = all.server.got.at(-1)?.id ?? '';
    second.send(notification('notifications/cancelled', `{"requestId":${id},"reason":"r"}`));
    await settle();
    assert.equal(JSON.stringify(params(all.server.got.at(-1)).requestId), known);
    all.server.accepted.transport.send(errorMessage(known, 'internal_error', 'x'));
    const line = async (): Promise<string> => {
      for (;;) {
        const text = (await second.raw.line()) ?? '';
        if (!text.startsWith('!')) return text;
      }
    };
    assert.ok((await line()).includes(`"id":${id},`));
  }
});

test('a call that was asked again and is taken back is wanted by nobody any more, by no client before either', async () => {
  const all = await greeted();
  all.first.send(request('2', 'tools/call', '{}', 7), request('3', 'tools/call', '{}', 8));
  await settle();
  all.first.raw.end.destroy();
  const second = await again(all);
  second.send(request('2', 'tools/call', '{}', 7), request('3', 'tools/call', '{}', 8));
  second.send(notification('notifications/cancelled', '{"requestId":2,"reason":"r"}'));
  await settle();
  const cancelled = () =>
    all.server.got.filter(({ method }) => method === 'notifications/cancelled').map((one) => params(one).requestId);
  const [seven, eight] = all.server.got.filter(({ call }) => call !== undefined).slice(-2);
  assert.deepEqual(cancelled(), [2, JSON.parse(seven?.id ?? '')]);
  // What has its answer was asked by nobody else.
  all.server.accepted.transport.send(resultMessage(eight?.id ?? '', {}));
  assert.equal((await second.message()).id, 3);
  second.send(notification('notifications/cancelled', '{"requestId":3}'));
  await settle();
  assert.deepEqual(cancelled().slice(2), [JSON.parse(eight?.id ?? '')]);
});

test('open questions are asked again of each client until one answers; the server hears one answer', async () => {
  const all = await greeted();
  const { transport } = all.server.accepted;
  transport.send(requestMessage('"q1"', 'elicitation/create', { message: 'sure?' }));
  transport.send(requestMessage('"q2"', 'ping', {}));
  transport.send(requestMessage('"q3"', 'roots/list', {}));
  for (const id of ['q1', 'q2', 'q3']) assert.equal((await all.first.message()).id, id);
  all.first.send('{"jsonrpc":"2.0","id":"q2","result":{}}');
  await settle();
  transport.send(notificationMessage('notifications/cancelled', { requestId: 'q3' }));
  await all.first.message();
  all.first.raw.end.destroy();
  const second = await again(all);
  assert.deepEqual(await second.message(), {
    jsonrpc: '2.0',
    id: 'q1',
    method: 'elicitation/create',
    params: { message: 'sure?' },
  });
  second.raw.end.destroy();
  const third = await again(all);
  assert.equal((await third.message()).id, 'q1');
  third.send('{"jsonrpc":"2.0","id":"q1","result":{"action":"accept"}}', '{"jsonrpc":"2.0","id":"q1","result":{}}');
  third.send('{"jsonrpc":"2.0","id":"q3","result":{}}');
  await settle();
  assert.deepEqual(
    all.server.got.filter(({ kind }) => kind === 'response').map(({ id }) => id),
    ['"q2"', '"q1"'],
  );
});

test('a question too large to be kept is not asked again: its server learns that nobody will answer', async () => {
  const all = await greeted();
  const { transport } = all.server.accepted;
  transport.send(requestMessage('"big"', 'elicitation/create', { message: 'x'.repeat(5 * 1024 * 1024) }));
  await all.first.message();
  all.first.raw.end.destroy();
  const second = await again(all);
  const answer = all.server.got.find(({ kind }) => kind === 'response');
  assert.equal(answer?.id, '"big"');
  assert.match(answer?.bytes.toString() ?? '', /"error":"internal_error"/);
  second.send('{"jsonrpc":"2.0","id":"big","result":{}}', request('2', 'ping'));
  await settle();
  assert.equal(all.server.got.filter(({ kind }) => kind === 'response').length, 1);
});

test('nothing is told before the handshake; then what was told while nobody heard it, in order', async () => {
  const all = await greeted();
  const { transport } = all.server.accepted;
  all.first.raw.end.destroy();
  await settle();
  transport.send(notificationMessage('notifications/resources/updated', { uri: 'a' }));
  const second = await all.dial();
  transport.send(notificationMessage('notifications/message', { data: 'b' }));
  transport.send(requestMessage('"q"', 'ping', {}));
  second.send(request('1', 'initialize', INIT));
  assert.equal((await second.message()).id, 1);
  second.send(INITIALIZED);
  assert.deepEqual((await second.message()).params, { uri: 'a' });
  assert.deepEqual((await second.message()).params, { data: 'b' });
  assert.equal((await second.message()).id, 'q');
});

test('a handshake that has no answer yet is waited for by the next client; the server hears one', async () => {
  const all = house();
  const first = await all.dial();
  first.send(request('9', 'initialize', INIT));
  await settle();
  first.raw.end.destroy();
  await settle();
  const second = await all.dial();
  const server = only(all.served);
  // Whoever asked under this id is gone.
  assert.deepEqual(heard(server), ['request initialize 9']);
  second.send(request('3', 'initialize', INIT));
  await settle();
  server.accepted.transport.send(resultMessage('9', { late: 1 }));
  assert.deepEqual(await second.message(), { jsonrpc: '2.0', id: 3, result: { late: 1 } });
  assert.deepEqual(heard(server), ['request initialize 9']);
});

test('an answer to initialize that comes between two clients is kept for the second', async () => {
  const all = house();
  const first = await all.dial();
  first.send(request('9', 'initialize', INIT));
  await settle();
  first.raw.end.destroy();
  await settle();
  const second = await all.dial();
  only(all.served).accepted.transport.send(resultMessage('9', { early: 1 }));
  await settle();
  second.send(request('3', 'initialize', INIT));
  assert.deepEqual(await second.message(), { jsonrpc: '2.0', id: 3, result: { early: 1 } });
});

test('a client that says another initialize has another session; the old one ends', async () => {
  const all = await greeted();
  all.first.raw.end.destroy();
  await settle();
  const second = await all.dial();
  const other = INIT.replace('{}', '{"roots":{}}');
  second.send(request('1', 'initialize', other));
  await settle();
  assert.equal(all.served.length, 2);
  assert.equal(all.server.closed?.code, 'link_expired');
  const fresh = all.served[1] as Served;
  assert.deepEqual(heard(fresh), ['request initialize 1']);
  fresh.accepted.transport.send(resultMessage('1', { hello: 2 }));
  assert.deepEqual((await second.message()).result, { hello: 2 });
  second.send(INITIALIZED, request('2', 'ping'));
  await settle();
  assert.deepEqual(heard(fresh).slice(1), ['notification notifications/initialized', 'request ping 2']);
  second.raw.end.destroy();
  await settle();
  // It is held as the first one was.
  const third = await all.dial();
  third.send(request('1', 'initialize', other));
  assert.deepEqual((await third.message()).result, { hello: 2 });
  assert.equal(all.served.length, 2);
});

test('the same initialize in another spelling is the same; after a refused one the next is heard', async () => {
  const all = house();
  const first = await all.dial();
  first.send(request('1', 'initialize', INIT));
  await settle();
  const server = only(all.served);
  server.accepted.transport.send(errorMessage('1', 'backend_unavailable', 'not yet'));
  await first.message();
  first.raw.end.destroy();
  await settle();
  const second = await all.dial();
  second.send(request('1', 'initialize', INIT));
  await settle();
  assert.equal(server.got.length, 2);
  server.accepted.transport.send(resultMessage(server.got[1]?.id ?? '', { hello: 1 }));
  assert.equal((await second.message()).id, 1);
  second.raw.end.destroy();
  await settle();
  const third = await all.dial();
  const { protocolVersion, ...rest } = JSON.parse(INIT) as Record<string, unknown>;
  third.send(request('1', 'initialize', JSON.stringify({ ...rest, protocolVersion })));
  assert.deepEqual((await third.message()).result, { hello: 1 });
});

test('requests of the modern era need no handshake; a subscription of the client that is gone is taken back', async () => {
  const all = house();
  const meta = '{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}';
  const first = await all.dial();
  first.send(request('1', 'subscriptions/listen', meta), request('2', 'tools/call', meta, 4));
  await settle();
  first.raw.end.destroy();
  await settle();
  const second = await all.dial();
  assert.equal(second.welcome.kept, true);
  second.send(request('1', 'subscriptions/listen', meta), request('2', 'tools/call', meta, 4));
  await settle();
  const server = only(all.served);
  const cancelled = server.got.filter(({ method }) => method === 'notifications/cancelled');
  assert.deepEqual(
    cancelled.map((message) => params(message).requestId),
    [1],
  );
  server.accepted.transport.send(resultMessage('2', { of: 'first' }));
  server.accepted.transport.send(notificationMessage('notifications/message', { data: 'now' }));
  server.accepted.transport.send(resultMessage(server.got.at(-1)?.id ?? '', { of: 'second' }));
  assert.deepEqual((await second.message()).params, { data: 'now' });
  assert.deepEqual((await second.message()).result, { of: 'second' });
});

test('what belongs to a subscription reaches the client that has it now, under the id that it knows', async () => {
  const all = house();
  const meta = '{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}';
  const first = await all.dial();
  first.send(request('1', 'subscriptions/listen', meta));
  await settle();
  const { transport } = only(all.served).accepted;
  const changed = (subscription: unknown) =>
    notificationMessage('notifications/tools/list_changed', {
      _meta: { 'io.modelcontextprotocol/subscriptionId': subscription, other: 1.0 },
    });
  transport.send(changed(1));
  assert.deepEqual((await first.message()).params, {
    _meta: { 'io.modelcontextprotocol/subscriptionId': 1, other: 1 },
  });
  first.raw.end.destroy();
  await settle();
  const second = await all.dial();
  second.send(request('"s"', 'subscriptions/listen', meta), request('2', 'subscriptions/listen', meta));
  await settle();
  const [own, two] = only(all.served)
    .got.slice(-2)
    .map(({ id }) => JSON.parse(id ?? '') as string);
  transport.send(changed(1));
  transport.send(changed(own));
  transport.send(notificationMessage('notifications/cancelled', { requestId: two }));
  transport.send(
    resultMessage(JSON.stringify(own), {
      _meta: { 'io.modelcontextprotocol/subscriptionId': own },
      resultType: 'complete',
    }),
  );
  assert.deepEqual((await second.message()).params, {
    _meta: { 'io.modelcontextprotocol/subscriptionId': 's', other: 1 },
  });
  assert.deepEqual((await second.message()).params, { requestId: 2 });
  assert.deepEqual(await second.message(), {
    jsonrpc: '2.0',
    id: 's',
    result: { _meta: { 'io.modelcontextprotocol/subscriptionId': 's' }, resultType: 'complete' },
  });
});

test('a server that is paused stays paused for the next client, and what it waits for comes', async () => {
  const all = await greeted();
  const { transport } = all.server.accepted;
  transport.pause();
  all.first.raw.end.destroy();
  const second = await all.dial();
  second.send(request('1', 'initialize', INIT), INITIALIZED, request('2', 'ping'));
  await settle();
  assert.equal(all.server.got.length, 2);
  transport.resume();
  await settle();
  assert.equal(all.server.got.at(-1)?.method, 'ping');
  await transport.drained();
});

test('a line that is no message is told under the id that the server would answer', async () => {
  const all = house({
    onSession: (accepted) =>
      accepted.transport.start({
        message: (message) => {
          if (message.method === 'initialize') accepted.transport.send(resultMessage(message.id ?? '', {}));
        },
        fault: ({ id = 'null' }) => void accepted.transport.send(errorMessage(id, 'invalid_request', 'too deep')),
        closed: () => {},
      }),
  });
  const first = await all.dial();
  first.send(request('1', 'initialize', INIT));
  await first.message();
  first.raw.end.destroy();
  await settle();
  const second = await all.dial();
  second.send(request('1', 'initialize', INIT));
  await second.message();
  second.send(INITIALIZED, request('2', 'x', `${'['.repeat(70)}${']'.repeat(70)}`), '{');
  assert.equal((await second.message()).id, 2);
  assert.equal((await second.message()).id, null);
});
