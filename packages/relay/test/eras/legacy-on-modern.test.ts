import assert from 'node:assert/strict';
import { test } from 'node:test';
import { META } from '../../src/eras/envelope.ts';
import { LegacyOnModern } from '../../src/eras/legacy-on-modern/session.ts';
import { type Json, modernServer, type Play, PlayedClient, PlayedServer, SILENT } from './played.ts';

const LISTS = { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} };

async function open(play: Play, capabilities: Json = {}) {
  const server = new PlayedServer(play);
  const client = new PlayedClient(new LegacyOnModern({ server: server.near }));
  const welcome = await client.ask('initialize', {
    protocolVersion: '2025-06-18',
    capabilities,
    clientInfo: { name: 'agent', version: '1' },
  });
  client.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return { server, client, welcome };
}

test('initialize is answered from server/discover, in the revision that was asked for', async () => {
  const { welcome, server } = await open(modernServer());
  assert.deepEqual(welcome.result, {
    protocolVersion: '2025-06-18',
    capabilities: { tools: {}, logging: {} },
    serverInfo: { name: 'new', version: '2' },
  });
  assert.equal(server.got[0].params._meta[META.clientInfo].name, 'agent');
});

test('each request carries the envelope and the log level, each result loses what only the newer era has', async () => {
  const { client, server } = await open(modernServer(), { roots: {} });
  assert.deepEqual((await client.ask('logging/setLevel', { level: 'warning' })).result, {});
  assert.equal((await client.ask('logging/setLevel', { level: 'loud' })).error.code, -32602);
  const answer = await client.ask('tools/call', { name: 'x', odd: 1, _meta: { progressToken: 0, 'a.b/c': 2 } });
  assert.deepEqual(Object.keys(answer.result), ['content', 'echo']);
  const { _meta } = server.got.at(-1).params;
  assert.deepEqual(_meta, {
    progressToken: 0,
    'a.b/c': 2,
    [META.version]: '2026-07-28',
    [META.clientInfo]: { name: 'agent', version: '1' },
    [META.clientCapabilities]: { roots: {} },
    [META.logLevel]: 'warning',
  });
  assert.deepEqual((await client.ask('tools/list')).result, { tools: [] });
  assert.deepEqual((await client.ask('ping')).result, {});
});

test('what the server asks is asked of the client on this call, which then goes on', async () => {
  const inputRequests = {
    name: { method: 'elicitation/create', params: { message: 'who?' } },
    roots: { method: 'roots/list', params: {} },
  };
  const play = modernServer((method, params) => {
    if (method !== 'tools/call' || params.inputResponses) return undefined;
    return { resultType: 'input_required', inputRequests, requestState: 'opaque' };
  });
  const { client, server } = await open(play, { elicitation: {}, roots: {} });
  const call = client.ask('tools/call', { name: 'x', arguments: { big: 1 } });
  const asked = await client.notice('elicitation/create');
  client.reply(asked.id, { action: 'accept', content: { name: 'Ada' } });
  client.reply((await client.notice('roots/list')).id, { roots: [] });
  const { echo } = (await call).result;
  assert.deepEqual(echo.inputResponses, {
    name: { action: 'accept', content: { name: 'Ada' } },
    roots: { roots: [] },
  });
  assert.equal(echo.requestState, 'opaque');
  assert.deepEqual(echo.arguments, { big: 1 });
  const [first, second] = server.got.filter(({ method }) => method === 'tools/call');
  assert.notEqual(first.id, second.id);
});

test('what the client cannot be asked, or refuses, ends the call with an error', async () => {
  const inputRequests = { q: { method: 'sampling/createMessage', params: {} } };
  const play = modernServer((method) =>
    method === 'tools/call' ? { resultType: 'input_required', inputRequests } : undefined,
  );
  const without = await open(play);
  assert.match((await without.client.ask('tools/call', { name: 'x' })).error.message, /cannot answer/);
  const { client } = await open(play, { sampling: {} });
  const call = client.ask('tools/call', { name: 'x' });
  const { id } = await client.notice('sampling/createMessage');
  client.send({ jsonrpc: '2.0', id, error: { code: -1, message: 'the user said no' } });
  assert.deepEqual((await call).error, { code: -1, message: 'the user said no' });
});

test('a call that is taken back takes its questions and its request back', async () => {
  const inputRequests = { q: { method: 'elicitation/create', params: {} } };
  const play = modernServer((method, params) => {
    if (method !== 'tools/call') return undefined;
    return params.name === 'slow' ? SILENT : { resultType: 'input_required', inputRequests };
  });
  const { client, server } = await open(play, { elicitation: {} });
  client.send({ jsonrpc: '2.0', id: 'a', method: 'tools/call', params: { name: 'asks' } });
  const { id } = await client.notice('elicitation/create');
  client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'a' } });
  assert.equal((await client.notice('notifications/cancelled')).params.requestId, id);
  client.send({ jsonrpc: '2.0', id: 'b', method: 'tools/call', params: { name: 'slow' } });
  const slow = await server.until(({ params }) => params?.name === 'slow');
  client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'b' } });
  const taken = await server.until(({ method }) => method === 'notifications/cancelled');
  assert.equal(taken.params.requestId, slow.id);
});

test('a task is waited for: polled, asked for, and its result is the answer', async () => {
  const task = { taskId: 't1', createdAt: 'now', lastUpdatedAt: 'now', ttlMs: null, pollIntervalMs: 1 };
  let updated = false;
  const play = modernServer(
    (method, params) => {
      if (method === 'tools/call') return { resultType: 'task', status: 'working', ...task };
      if (method === 'tasks/update') {
        updated = params.inputResponses.ok.action === 'accept';
        return { resultType: 'complete' };
      }
      if (method !== 'tasks/get') return undefined;
      const inputRequests = { ok: { method: 'elicitation/create', params: {} } };
      if (!updated) return { resultType: 'complete', status: 'input_required', inputRequests, ...task };
      return { resultType: 'complete', status: 'completed', result: { content: [], done: true }, ...task };
    },
    { tools: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } },
  );
  const { client, server } = await open(play, { elicitation: {} });
  const call = client.ask('tools/call', { name: 'x', _meta: { progressToken: 'p' } });
  client.reply((await client.notice('elicitation/create')).id, { action: 'accept' });
  assert.deepEqual((await call).result, { content: [], done: true });
  assert.equal((await client.notice('notifications/progress')).params.progressToken, 'p');
  const { extensions } = server.got.find(({ method }) => method === 'tools/call').params._meta[META.clientCapabilities];
  assert.deepEqual(extensions, { 'io.modelcontextprotocol/tasks': {} });
});

test('changes are listened for when the client is ready, and told as a legacy server tells them', async () => {
  const listen: Play = (method, params, server, id) => {
    if (method !== 'subscriptions/listen') return undefined;
    const _meta = { [META.subscription]: Number(id) };
    const { notifications } = params;
    server.notify('notifications/subscriptions/acknowledged', { _meta, notifications });
    server.notify('notifications/tools/list_changed', { _meta });
    return SILENT;
  };
  const { client, server } = await open(modernServer(listen, LISTS));
  assert.equal((await client.notice('notifications/tools/list_changed')).params, undefined);
  assert.deepEqual(server.got.find(({ method }) => method === 'subscriptions/listen').params.notifications, {
    toolsListChanged: true,
  });
  assert.deepEqual((await client.ask('resources/subscribe', { uri: 'a:b' })).result, {});
  const [first, second] = server.got.filter(({ method }) => method === 'subscriptions/listen');
  assert.deepEqual(second.params.notifications, { toolsListChanged: true, resourceSubscriptions: ['a:b'] });
  const taken = await server.until(({ method }) => method === 'notifications/cancelled');
  assert.equal(taken.params.requestId, first.id);
  server.notify('notifications/resources/updated', { uri: 'a:b', _meta: { [META.subscription]: second.id } });
  assert.deepEqual((await client.notice('notifications/resources/updated')).params, { uri: 'a:b' });
  assert.equal(client.notices('notifications/subscriptions/acknowledged').length, 0);
});

test('numbers that a double does not carry cross the translation both ways', async () => {
  const { client, server } = await open(modernServer());
  client.send(
    '{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":{"name":"x","arguments":{"at":1754740000000000001,"far":1e-400}}}',
  );
  const answer = await client.until(() => client.messages.find(({ id }) => id === '9007199254740993'));
  assert.match(answer.bytes.toString(), /"at":1754740000000000001,"far":1e-400/);
  assert.match(JSON.stringify(server.got.at(-1).params.arguments.at), /1754740000000000001|1754740000000000000/);
});

test('errors of the envelope are none of the client, all others are its own', async () => {
  let code = -32020;
  const play = modernServer((method) =>
    method === 'tools/call' ? { error: { code, message: 'no', data: { odd: 1 } } } : undefined,
  );
  const { client } = await open(play);
  assert.equal((await client.ask('tools/call', { name: 'x' })).error.code, -32603);
  code = -32021;
  assert.deepEqual((await client.ask('tools/call', { name: 'x' })).error, { code, message: 'no', data: { odd: 1 } });
});
