import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { META } from '../../src/eras/envelope.ts';
import { Handles } from '../../src/eras/modern-on-legacy/handle.ts';
import { ModernOnLegacy } from '../../src/eras/modern-on-legacy/session.ts';
import {
  type Json,
  legacyServer,
  modernMeta,
  type Play,
  PlayedClient,
  PlayedHost,
  SILENT,
  steadyOn,
} from './played.ts';

const FORM = { elicitation: {} };

const opened: PlayedClient[] = [];
afterEach(async () => {
  for (const client of opened.splice(0)) await client.transport.close();
});

function open(play: Play, handles = new Handles(), principal = 'owner') {
  const host = new PlayedHost(play);
  let refused = 0;
  const client = new PlayedClient(
    new ModernOnLegacy({
      open: () => steadyOn(host.open),
      handles,
      principal,
      by: { name: 'gateway', version: '1' },
      onTaken: () => {},
      onRefused: () => {
        refused += 1;
      },
    }),
  );
  opened.push(client);
  const call = (params: Json, capabilities: Json = FORM, more: Json = {}): Promise<Json> =>
    client.ask('tools/call', { ...params, _meta: modernMeta(capabilities, more) });
  return { host, client, call, refused: () => refused };
}

/** Asks the user and answers with what was said. */
const asking = (capabilities: Json = { tools: {} }) =>
  legacyServer((method, params, server, id) => {
    if (method !== 'tools/call') return undefined;
    const { name } = params;
    void server.ask('elicitation/create', { message: name }).then((answer) => {
      server.answer(id, { content: [], name, said: answer.result ?? answer.error });
    });
    return SILENT;
  }, capabilities);

test('server/discover is made from initialize; what only older revisions have is left out', async () => {
  const { client, host } = open(legacyServer(undefined, { tools: {}, tasks: { list: {} }, odd: { x: 1 } }));
  const { result } = await client.ask('server/discover', { _meta: modernMeta({ roots: {} }) });
  assert.deepEqual(result, {
    resultType: 'complete',
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: {}, odd: { x: 1 } },
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { [META.serverInfo]: { name: 'old', version: '1' } },
  });
  const { params } = host.last.got[0];
  assert.deepEqual([params.capabilities, params.clientInfo], [{ roots: {} }, { name: 'test', version: '1' }]);
});

test('a request loses its envelope, its result gets what the newer era wants, everything else stays', async () => {
  const { call, client } = open(legacyServer());
  const { result } = await call({ name: 'x', odd: [1], _meta: {} }, {}, { 'a.b/c': 1 });
  assert.deepEqual(result, {
    resultType: 'complete',
    content: [],
    echo: { name: 'x', odd: [1], _meta: { 'a.b/c': 1 } },
  });
  const list = await client.ask('tools/list', { _meta: modernMeta() });
  assert.deepEqual(list.result, { resultType: 'complete', ttlMs: 0, cacheScope: 'private', tools: [] });
});

test('requests without a whole envelope, and those the newer era does not have, never reach the server', async () => {
  const { client, host } = open(legacyServer());
  assert.equal((await client.ask('tools/list', { _meta: { [META.version]: '2026-07-28' } })).error.code, -32602);
  assert.equal((await client.ask('ping', { _meta: modernMeta() })).error.code, -32601);
  assert.equal((await client.ask('tasks/get', { taskId: 't', _meta: modernMeta() })).error.code, -32601);
  const loud = { _meta: modernMeta({}, { [META.logLevel]: 'loud' }) };
  assert.equal((await client.ask('tools/list', loud)).error.code, -32602);
  assert.equal(host.lives.length, 0);
});

test('a question of the server ends the request with input_required, and the retry goes on with the same call', async () => {
  const { call, host } = open(asking());
  const first = await call({ name: 'a', arguments: { n: 1 } });
  assert.equal(first.result.resultType, 'input_required');
  const [key, question] = Object.entries(first.result.inputRequests)[0] as [string, Json];
  assert.deepEqual(question, { method: 'elicitation/create', params: { message: 'a' } });
  const { requestState } = first.result;
  const inputResponses = { [key]: { action: 'accept', content: { x: 1 } }, unasked: {} };
  const { result } = await call({ name: 'a', arguments: { n: 1 }, inputResponses, requestState });
  assert.deepEqual(result.said, { action: 'accept', content: { x: 1 } });
  assert.equal(host.last.got.filter(({ method }: Json) => method === 'tools/call').length, 1);
});

test('two open calls are each answered with their own questions', async () => {
  const { call } = open(asking());
  const [a, b] = await Promise.all([call({ name: 'a' }), call({ name: 'b' })]);
  const answer = async (name: string, { result }: Json): Promise<Json> => {
    const inputResponses = Object.fromEntries(
      Object.entries(result.inputRequests).map(([key, { params }]: Json) => [key, { action: params.message }]),
    );
    return (await call({ name, inputResponses, requestState: result.requestState })).result;
  };
  const results = await Promise.all([answer('a', a), answer('b', b)]);
  // A question may travel with the other call of the same client; its answer reaches the server as its own.
  for (const result of results) {
    if (result.resultType === 'complete') assert.equal(result.said.action, result.name);
  }
  assert.ok(results.some(({ resultType }) => resultType === 'complete'));
});

test('a retry that leaves an answer out is asked again for it', async () => {
  const { call } = open(asking());
  const first = await call({ name: 'a' });
  const second = await call({ name: 'a', inputResponses: {}, requestState: first.result.requestState });
  assert.equal(second.result.resultType, 'input_required');
  assert.deepEqual(Object.keys(second.result.inputRequests), Object.keys(first.result.inputRequests));
  assert.notEqual(second.result.requestState, first.result.requestState);
  // The first handle has served.
  const stale = await call({ name: 'a', inputResponses: {}, requestState: first.result.requestState });
  assert.equal(stale.error.code, -32602);
});

test('a handle is of no use with other arguments, changed, or in the hands of somebody else', async () => {
  const handles = new Handles();
  const mine = open(asking(), handles, 'alice');
  const theirs = open(asking(), handles, 'bob');
  const { requestState } = (await mine.call({ name: 'a', arguments: { n: 1 } })).result;
  const codes = [
    await mine.call({ name: 'a', arguments: { n: 2 }, requestState }),
    await mine.call({ name: 'a', arguments: { n: 1 }, requestState: `${requestState}x` }),
    await theirs.call({ name: 'a', arguments: { n: 1 }, requestState }),
  ].map(({ error }) => error?.code);
  assert.deepEqual(codes, [-32602, -32602, -32602]);
});

test('a server that asks what the client cannot do is told so at once', async () => {
  const { call } = open(asking());
  const { result } = await call({ name: 'a' }, {});
  assert.equal(result.said.code, -32601);
});

test('clients with other capabilities get sessions of their own', async () => {
  const { call, host } = open(legacyServer());
  await call({ name: 'x' }, {});
  await call({ name: 'x' }, FORM);
  await call({ name: 'x' }, { elicitation: {} });
  assert.deepEqual(
    host.lives.map(({ got }) => got[0].params.capabilities),
    [{}, FORM],
  );
});

test('a question that comes before any call waits for one that can carry it', async () => {
  const play = legacyServer((method, _params, server) => {
    if (method === 'tools/list') void server.ask('roots/list', {});
    return undefined;
  });
  const { call, client, host } = open(play);
  await client.ask('tools/list', { _meta: modernMeta({ roots: {} }) });
  const first = await call({ name: 'x' }, { roots: {} });
  const [key] = Object.keys(first.result.inputRequests ?? {});
  assert.equal(first.result.inputRequests[key as string].method, 'roots/list');
  const inputResponses = { [key as string]: { roots: [{ uri: 'file:///r' }] } };
  const second = await call({ name: 'x', inputResponses, requestState: first.result.requestState }, { roots: {} });
  assert.equal(second.result.resultType, 'complete');
  assert.deepEqual((await host.last.until(({ id }) => id === 's1')).result, { roots: [{ uri: 'file:///r' }] });
});

test('URLs that a server needs visited are asked for, and the call made anew', async () => {
  let visited = false;
  const elicitations = [{ mode: 'url', elicitationId: 'e1', url: 'https://example.com/login', message: 'log in' }];
  const play = legacyServer((method) => {
    if (method !== 'tools/call' || visited) return undefined;
    return { error: { code: -32042, message: 'URL needed', data: { elicitations } } };
  });
  const { call } = open(play);
  const url = { elicitation: { url: {} } };
  const missing = await call({ name: 'x' }, FORM);
  assert.deepEqual([missing.error.code, missing.error.data], [-32021, { requiredCapabilities: url }]);
  const { result } = await call({ name: 'x' }, url);
  assert.deepEqual(result.inputRequests.u1, { method: 'elicitation/create', params: elicitations[0] });
  visited = true;
  const inputResponses = { u1: { action: 'accept' } };
  const again = await call({ name: 'x', inputResponses, requestState: result.requestState }, url);
  assert.equal(again.result.resultType, 'complete');
});

test('log lines are told to requests that asked for them, from the level that they asked for', async () => {
  const play = legacyServer((method, _params, server) => {
    if (method !== 'tools/call') return undefined;
    server.notify('notifications/message', { level: 'info', data: 'fine' });
    server.notify('notifications/message', { level: 'error', data: 'bad' });
    return undefined;
  });
  const { call, client, host } = open(play);
  await call({ name: 'x' });
  assert.equal(client.notices('notifications/message').length, 0);
  await call({ name: 'x' }, FORM, { [META.logLevel]: 'warning' });
  assert.deepEqual(
    client.notices('notifications/message').map(({ params }) => params.data),
    ['bad'],
  );
  assert.equal(host.last.got.find(({ method }: Json) => method === 'logging/setLevel').params.level, 'warning');
});

test('changes become events of the subscription, under its id, and only those that it wants', async () => {
  const capabilities = { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true } };
  const { client, host } = open(legacyServer(undefined, capabilities));
  const notifications = { toolsListChanged: true, resourcesListChanged: true, resourceSubscriptions: ['a:b'] };
  const listen = { _meta: modernMeta(), notifications };
  client.send({ jsonrpc: '2.0', id: 'listen:0', method: 'subscriptions/listen', params: listen });
  const { params } = await client.notice('notifications/subscriptions/acknowledged');
  const _meta = { [META.subscription]: 'listen:0' };
  assert.deepEqual(params, { _meta, notifications: { toolsListChanged: true, resourceSubscriptions: ['a:b'] } });
  host.last.notify('notifications/prompts/list_changed');
  host.last.notify('notifications/tools/list_changed');
  host.last.notify('notifications/resources/updated', { uri: 'a:b', odd: 1 });
  assert.deepEqual((await client.notice('notifications/resources/updated')).params, { uri: 'a:b', odd: 1, _meta });
  assert.equal(client.notices('notifications/tools/list_changed').length, 1);
  assert.equal(client.notices('notifications/prompts/list_changed').length, 0);
  client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'listen:0' } });
  await host.last.until(({ method }) => method === 'resources/unsubscribe');
});

test('a tool that runs only as a task is run as one, and its result is the answer', async () => {
  const capabilities = { tools: {}, tasks: { requests: { tools: { call: {} } } } };
  const play = legacyServer((method, params) => {
    if (method === 'tools/list') return { tools: [{ name: 'slow', execution: { taskSupport: 'required' } }] };
    if (method === 'tools/call' && params.task) return { task: { taskId: 't1', status: 'working' } };
    if (method === 'tasks/result') return { content: [], task: params.taskId };
    return undefined;
  }, capabilities);
  const { call } = open(play);
  assert.deepEqual((await call({ name: 'slow' })).result, { resultType: 'complete', content: [], task: 't1' });
  assert.equal((await call({ name: 'quick' })).result.echo.task, undefined);
});

test('a call that is taken back is taken back at the server, under its own id', async () => {
  const { client, host } = open(legacyServer((method) => (method === 'tools/call' ? SILENT : undefined)));
  const params = { name: 'x', _meta: modernMeta() };
  client.send({ jsonrpc: '2.0', id: 0, method: 'tools/call', params });
  await client.until(() => host.last !== undefined);
  const call = await host.last.until(({ method }) => method === 'tools/call');
  client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 0 } });
  const taken = await host.last.until(({ method }) => method === 'notifications/cancelled');
  assert.equal(taken.params.requestId, call.id);
});

test('progress comes under the token of the request that waits at the moment', async () => {
  const play = legacyServer((method, params, server, id) => {
    if (method !== 'tools/call') return undefined;
    const { progressToken } = params._meta;
    server.notify('notifications/progress', { progressToken, progress: 1 });
    void server.ask('elicitation/create', {}).then(() => {
      server.notify('notifications/progress', { progressToken, progress: 2 });
      server.answer(id, { content: [] });
    });
    return SILENT;
  });
  const { call, client } = open(play);
  const first = await call({ name: 'x' }, FORM, { progressToken: 'one' });
  const inputResponses = { q1: { action: 'accept' } };
  await call({ name: 'x', inputResponses, requestState: first.result.requestState }, FORM, { progressToken: 2 });
  assert.deepEqual(
    client.notices('notifications/progress').map(({ params }) => [params.progressToken, params.progress]),
    [
      ['one', 1],
      [2, 2],
    ],
  );
});

test('a resource that is not there has the code of the newer era', async () => {
  const play = legacyServer((method) =>
    method === 'resources/read' ? { error: { code: -32002, message: 'not found', data: { uri: 'a:b' } } } : undefined,
  );
  const { client } = open(play);
  const { error } = await client.ask('resources/read', { uri: 'a:b', _meta: modernMeta() });
  assert.deepEqual(error, { code: -32602, message: 'not found', data: { uri: 'a:b' } });
});

test('a server that does not take initialize is no legacy one: whoever waits is told, and the session ends', async () => {
  const { call, client, refused } = open(() => ({ error: { code: -32601, message: 'what?' } }));
  assert.equal((await call({ name: 'x' })).error.message, 'what?');
  assert.equal((await client.end()).code, 'session_lost');
  assert.equal(refused(), 1);
});

test('there is an end of sets of capabilities: the idle one makes way, and with all of them busy the next is refused', async () => {
  const { client, call, host } = open(legacyServer((_method, { name }) => (name === 'hang' ? SILENT : undefined)));
  for (let n = 0; n < 9; n += 1) await call({ name: 'x' }, { experimental: { n } });
  assert.equal(host.lives.length, 9);
  for (let n = 0; n < 8; n += 1) {
    const params = { name: 'hang', _meta: modernMeta({ roots: { n } }) };
    client.send({ jsonrpc: '2.0', id: `h${n}`, method: 'tools/call', params });
  }
  await client.until(() => host.lives.length === 17);
  await host.last.until(({ params }) => params?.name === 'hang');
  const refused = await call({ name: 'x' }, { sampling: {} });
  assert.equal(refused.error.data.error, 'busy');
});

test('there is an end of subscriptions of one client', async () => {
  const { client } = open(legacyServer());
  const params = { notifications: { toolsListChanged: true }, _meta: modernMeta() };
  for (let n = 0; n < 65; n += 1) client.send({ jsonrpc: '2.0', id: n, method: 'subscriptions/listen', params });
  assert.equal((await client.answer(64)).error.data.error, 'busy');
});

test('there is an end of calls that wait for their client: the oldest is taken back', async () => {
  const { call, host } = open(asking());
  const first = await call({ name: 'oldest' });
  for (let n = 0; n < 256; n += 1) await call({ name: `n${n}` });
  const taken = await host.last.until(({ method }) => method === 'notifications/cancelled');
  assert.equal(taken.params.requestId, host.last.got.find(({ params }: Json) => params?.name === 'oldest').id);
  const late = await call({ name: 'oldest', inputResponses: {}, requestState: first.result.requestState });
  assert.equal(late.error.code, -32602);
});

test('what a server asks in one breath is asked of the client at once, also when it comes in pieces', async () => {
  const play = legacyServer((method, _params, server, id) => {
    if (method !== 'tools/call') return undefined;
    const first = server.ask('elicitation/create', { message: 'who?' });
    setImmediate(() => {
      void Promise.all([first, server.ask('roots/list', {})]).then(() => server.answer(id, { content: [] }));
    });
    return SILENT;
  });
  const { call } = open(play);
  const capabilities = { elicitation: {}, roots: {} };
  const { result } = await call({ name: 'x' }, capabilities);
  const asked = Object.entries(result.inputRequests).map(([key, { method }]: Json) => [key, method]);
  assert.deepEqual(asked, [
    ['q1', 'elicitation/create'],
    ['q2', 'roots/list'],
  ]);
  const inputResponses = { q1: { action: 'decline' }, q2: { roots: [] } };
  const done = await call({ name: 'x', inputResponses, requestState: result.requestState }, capabilities);
  assert.equal(done.result.resultType, 'complete');
});
