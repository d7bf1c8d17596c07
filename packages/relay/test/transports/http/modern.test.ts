// The modern era over HTTP: our door and our client, against each other's rules and against hand-made peers.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { META } from '../../../src/eras/envelope.ts';
import { relay } from '../../../src/relay.ts';
import { httpTransport } from '../../../src/transports/http/client.ts';
import { createHttpSessions } from '../../../src/transports/http/server.ts';
import { type Json, modernMeta, modernServer, PlayedClient, PlayedServer, SILENT } from '../../eras/played.ts';

/** A door in front of one played modern server. */
async function door(play = modernServer(), sharedBy: () => string | undefined = () => 'one') {
  const servers: PlayedServer[] = [];
  const kinds: string[] = [];
  const sessions = createHttpSessions({
    sharedBy,
    onSession: (client, { kind }) => {
      kinds.push(kind);
      const server = new PlayedServer(play);
      servers.push(server);
      void relay(client, server.near);
    },
  });
  const http = createServer((request, response) => sessions.handle(request, response));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  return {
    url,
    servers,
    kinds,
    async [Symbol.asyncDispose]() {
      await sessions.close();
      http.close().closeAllConnections();
    },
  };
}

const HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
};

function postOn(agent: Agent, url: string): Promise<void> {
  const headers = { ...HEADERS, 'mcp-method': 'tools/list' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: modernMeta() } });
  return new Promise((resolve) => {
    request(url, { method: 'POST', headers, agent }, (response) => response.resume().on('end', resolve)).end(body);
  });
}

async function post(url: string, method: string, params: Json = {}, headers: Json = {}, id: Json = 1) {
  const name = params.name ?? params.uri ?? params.taskId;
  const all = { ...HEADERS, 'mcp-method': method, ...(name === undefined ? {} : { 'mcp-name': name }), ...headers };
  for (const key of Object.keys(all)) if (all[key] === undefined) delete all[key];
  const body = JSON.stringify({ jsonrpc: '2.0', id, method, params: { _meta: modernMeta(), ...params } });
  const response = await fetch(url, { method: 'POST', headers: all, body });
  const json: Json = response.headers.get('content-type')?.includes('json') ? await response.json() : undefined;
  return { response, status: response.status, json, code: json?.error?.code };
}

test('a modern request needs no session and gets none; two clients with one id get their own answers', async () => {
  await using open = await door();
  const [a, b] = await Promise.all([
    post(open.url, 'tools/call', { name: 'a' }),
    post(open.url, 'tools/call', { name: 'b' }, { 'mcp-session-id': 'left from before' }),
  ]);
  assert.deepEqual([a.status, b.status, a.json.id, b.json.id], [200, 200, 1, 1]);
  assert.deepEqual([a.json.result.echo.name, b.json.result.echo.name], ['a', 'b']);
  assert.equal(a.response.headers.get('mcp-session-id'), null);
  assert.deepEqual(open.kinds, ['modern']);
});

test('headers that are missing or say otherwise are a header_mismatch', async () => {
  await using open = await door();
  const call = (headers: Json) => post(open.url, 'tools/call', { name: 'a' }, headers);
  const wrong = await Promise.all([
    call({ 'mcp-method': undefined }),
    call({ 'mcp-method': 'tools/list' }),
    call({ 'mcp-method': 'TOOLS/CALL' }),
    call({ 'mcp-name': undefined }),
    call({ 'mcp-name': 'b' }),
    call({ 'mcp-name': '=?base64?!!?=' }),
    call({ 'mcp-protocol-version': undefined }),
    call({ 'mcp-protocol-version': '2025-11-25' }),
  ]);
  for (const { status, code, json } of wrong) {
    assert.deepEqual([status, code, json.id, json.error.data.error], [400, -32020, 1, 'header_mismatch']);
  }
  const right = await Promise.all([call({ 'mcp-name': '  a\t' }), call({ 'mcp-name': '=?base64?YQ==?=' })]);
  assert.deepEqual([right[0].status, right[1].status], [200, 200]);
});

test('a broken envelope is 400, an unsupported_version names what is spoken, an unknown method is 404', async () => {
  await using open = await door();
  const none = await post(open.url, 'tools/list', { _meta: undefined });
  assert.deepEqual([none.status, none.code], [400, -32602]);
  const _meta = { ...modernMeta(), [META.version]: '2099-01-01' };
  const future = await post(open.url, 'tools/list', { _meta }, { 'mcp-protocol-version': '2099-01-01' });
  assert.deepEqual([future.status, future.code], [400, -32022]);
  assert.deepEqual(future.json.error.data, {
    error: 'unsupported_version',
    supported: ['2026-07-28'],
    requested: '2099-01-01',
  });
  const unknown = await post(open.url, 'odd/method');
  assert.deepEqual([unknown.status, unknown.code], [404, -32601]);
});

test('parameters that a tool mirrors are checked against the body, also of a tool that nobody listed', async () => {
  const properties = {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    inner: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } },
  };
  const tools = [{ name: 'sql', inputSchema: { type: 'object', properties } }];
  const play = modernServer((method) =>
    method === 'tools/list' ? { resultType: 'complete', tools, ttlMs: 0, cacheScope: 'public' } : undefined,
  );
  await using open = await door(play);
  const call = (args: Json, headers: Json) => post(open.url, 'tools/call', { name: 'sql', arguments: args }, headers);
  const region = { 'mcp-param-region': '=?base64?RMO8?=' };
  assert.equal((await call({ region: 'Dü' }, {})).code, -32020);
  assert.equal((await call({ region: 'Du' }, region)).code, -32020);
  assert.equal((await call({ region: 'Dü' }, region)).status, 200);
  assert.equal((await call({ inner: { n: 42 } }, { 'mcp-param-n': '42.0' })).status, 200);
  assert.equal((await call({ inner: { n: 42 } }, { 'mcp-param-n': '41' })).code, -32020);
  assert.equal((await call({ region: null }, {})).status, 200);
});

test('what comes before an answer makes it a stream; closing it takes the request back', async () => {
  const play = modernServer((method, params, server) => {
    if (method !== 'tools/call') return undefined;
    server.notify('notifications/progress', { progressToken: params._meta.progressToken, progress: 1 });
    return params.name === 'slow' ? SILENT : undefined;
  });
  await using open = await door(play);
  const _meta = modernMeta({}, { progressToken: 'mine' });
  const quick = await post(open.url, 'tools/call', { name: 'quick', _meta });
  assert.equal(quick.response.headers.get('content-type'), 'text/event-stream');
  assert.equal(quick.response.headers.get('x-accel-buffering'), 'no');
  const body = await quick.response.text();
  assert.match(body, /"progressToken":"mine"[\s\S]*"resultType":"complete"/);
  const slow = await post(open.url, 'tools/call', { name: 'slow', _meta });
  await slow.response.body?.cancel();
  const [server] = open.servers;
  const taken = await server?.until(({ method }) => method === 'notifications/cancelled');
  assert.equal(taken.params.requestId, server?.got.find(({ params }) => params?.name === 'slow').id);
});

test('requests of two principals never share a session', async () => {
  let principal = 'one';
  await using open = await door(modernServer(), () => principal);
  await post(open.url, 'tools/list');
  await post(open.url, 'tools/list');
  principal = 'two';
  await post(open.url, 'tools/list');
  assert.equal(open.servers.length, 2);
});

test('of callers who are not told apart each connection has a session of its own, which ends with it', async () => {
  await using open = await door(modernServer(), () => undefined);
  const agents = [new Agent({ keepAlive: true }), new Agent({ keepAlive: true })];
  for (const agent of [...agents, ...agents]) await postOn(agent, open.url);
  assert.equal(open.servers.length, 2);
  const [first] = open.servers;
  const ended = new Promise((resolve) => first?.onClosed(resolve));
  agents[0]?.destroy();
  await ended;
  agents[1]?.destroy();
});

test('a subscription over HTTP is acknowledged under the id of its request, and ended with the door', async () => {
  const play = modernServer((method, params, server, id) => {
    if (method !== 'subscriptions/listen') return undefined;
    const _meta = { [META.subscription]: Number(id) };
    server.notify('notifications/subscriptions/acknowledged', { _meta, notifications: params.notifications });
    server.notify('notifications/tools/list_changed', { _meta });
    return SILENT;
  });
  const open = await door(play);
  const { response } = await post(
    open.url,
    'subscriptions/listen',
    { notifications: { toolsListChanged: true } },
    {},
    'L',
  );
  const all = response.text();
  await open.servers[0]?.until(({ method }) => method === 'subscriptions/listen');
  await new Promise((resolve) => setTimeout(resolve, 50));
  await open[Symbol.asyncDispose]();
  const ids = (await all).match(/"io.modelcontextprotocol\/subscriptionId":"L"/g);
  assert.equal(ids?.length, 3);
});

test('an initialize of a legacy client opens a session at the same door', async () => {
  await using open = await door();
  await post(open.url, 'tools/list');
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
  const { 'mcp-protocol-version': _version, ...headers } = HEADERS;
  const response = await fetch(open.url, { method: 'POST', headers, body });
  await response.text();
  assert.deepEqual(open.kinds, ['modern', 'streamable']);
});

test('a client that came by the older transport may go on in the newer revision, header and all', async () => {
  await using open = await door();
  const abort = new AbortController();
  const stream = await fetch(open.url.replace('/mcp', '/sse'), {
    headers: { accept: 'text/event-stream' },
    signal: abort.signal,
  });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  const endpoint = /data: (\S+)/.exec((await reader?.read())?.value ?? '')?.[1] ?? '';
  const { status } = await post(new URL(endpoint, open.url).href, 'tools/list', {}, {}, 'over sse');
  assert.equal(status, 202);
  assert.match((await reader?.read())?.value ?? '', /"id":"over sse".*"resultType":"complete"/);
  assert.deepEqual(open.kinds, ['sse']);
  abort.abort();
});

/** A modern server by hand; `act` says how it answers. */
async function handMade(act: (body: Json, request: IncomingMessage, response: ServerResponse) => void) {
  const seen: { body: Json; headers: IncomingMessage['headers'] }[] = [];
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await text(request));
    seen.push({ body, headers: request.headers });
    act(body, request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  const client = new PlayedClient(httpTransport({ url, protocol: 'streamable' }));
  return {
    seen,
    client,
    async [Symbol.asyncDispose]() {
      await client.transport.close();
      server.close().closeAllConnections();
    },
  };
}

function answer(response: ServerResponse, value: Json, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

test('our client mirrors method, name and version, and reads the errors that come with 400 and 404', async () => {
  await using open = await handMade((body, _request, response) => {
    const code = body.method === 'odd/method' ? -32601 : -32021;
    answer(response, { jsonrpc: '2.0', id: body.id, error: { code, message: 'no' } }, code === -32601 ? 404 : 400);
  });
  const _meta = modernMeta();
  assert.equal((await open.client.ask('odd/method', { _meta })).error.code, -32601);
  assert.equal((await open.client.ask('tools/call', { name: 'näme', _meta })).error.code, -32021);
  const [first, second] = open.seen.map(({ headers }) => headers);
  assert.deepEqual([first?.['mcp-method'], first?.['mcp-name']], ['odd/method', undefined]);
  assert.equal(first?.['mcp-protocol-version'], '2026-07-28');
  assert.equal(second?.['mcp-name'], `=?base64?${Buffer.from('näme').toString('base64')}?=`);
});

test('refused headers make our client look at the tools and call once more with what they want', async () => {
  const properties = { region: { type: 'string', 'x-mcp-header': 'Region' }, q: { type: 'string' } };
  const tools = [{ name: 'sql', inputSchema: { type: 'object', properties } }];
  await using open = await handMade((body, request, response) => {
    const { id, method } = body;
    if (method === 'tools/list') answer(response, { jsonrpc: '2.0', id, result: { resultType: 'complete', tools } });
    else if (request.headers['mcp-param-region'] === 'eu') answer(response, { jsonrpc: '2.0', id, result: { ok: 1 } });
    else answer(response, { jsonrpc: '2.0', id, error: { code: -32020, message: 'Header mismatch' } }, 400);
  });
  const params = { name: 'sql', arguments: { region: 'eu', q: 'x' }, _meta: modernMeta() };
  assert.deepEqual((await open.client.ask('tools/call', params)).result, { ok: 1 });
  assert.deepEqual(
    open.seen.map(({ body }) => body.method),
    ['tools/call', 'tools/list', 'tools/call'],
  );
  assert.deepEqual((await open.client.ask('tools/call', params)).result, { ok: 1 });
  assert.equal(open.seen.length, 4);
});

test('a tool whose annotation nobody could follow is left out of the list, the others stay', async () => {
  const schema = (annotated: Json) => ({ type: 'object', properties: { a: annotated } });
  const tools = [
    { name: 'fine', inputSchema: schema({ type: 'string', 'x-mcp-header': 'A' }) },
    { name: 'blank', inputSchema: schema({ type: 'string', 'x-mcp-header': 'a b' }) },
    { name: 'number', inputSchema: schema({ type: 'number', 'x-mcp-header': 'A' }) },
    { name: 'in a list', inputSchema: schema({ type: 'array', items: { type: 'string', 'x-mcp-header': 'A' } }) },
    { name: 'plain', odd: 9007199254740993n, inputSchema: {} },
  ];
  await using open = await handMade((body, _request, response) => {
    const text = JSON.stringify(tools, (_key, value) => (typeof value === 'bigint' ? `#${value}` : value));
    const exact = text.replace(/"#(\d+)"/, '$1');
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`{"jsonrpc":"2.0","id":${body.id},"result":{"resultType":"complete","tools":${exact}}}`);
  });
  open.client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: modernMeta() } });
  const answer = await open.client.until(() => open.client.messages.find(({ id }) => id === '1'));
  const names = [...answer.bytes.toString().matchAll(/"name":"([^"]+)"/g)].map(([, name]) => name);
  assert.deepEqual(names, ['fine', 'plain']);
  assert.match(answer.bytes.toString(), /"odd":9007199254740993/);
});

test('a request that is taken back closes its response; no message says so', async () => {
  let closed: () => void = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  await using open = await handMade((body, _request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.on('close', closed);
    const params = { progressToken: 1, progress: 1, of: body.id };
    response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params })}\n\n`);
  });
  open.client.send({ jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'x', _meta: modernMeta() } });
  await open.client.notice('notifications/progress');
  open.client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 5 } });
  await gone;
  assert.equal(open.seen.length, 1);
});
