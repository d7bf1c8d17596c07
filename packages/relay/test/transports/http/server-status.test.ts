// What the door answers to requests that are not as they should be: status, JSON-RPC error, and that it goes on.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { test } from 'node:test';
import { LIMITS } from '../../../src/limits.ts';
import { type Door, door, exchange, initializeRequest, newSession, open, POST_HEADERS } from './harness.ts';

const PING = { jsonrpc: '2.0', id: 9, method: 'ping' };
const JSON_TYPES: (string | undefined)[] = [
  'application/json',
  'Application/JSON; charset=utf-8',
  undefined,
  'text/plain',
  'application/json-rpc',
  'application/x-www-form-urlencoded',
];
const ACCEPTS: (string | undefined)[] = [
  'application/json, text/event-stream',
  'text/event-stream;q=0.5,application/json;q=0.9',
  '*/*',
  undefined,
  'application/json',
  'text/event-stream',
  'application/json, text/event-stream;q=0',
];
const VERSIONS: (string | undefined)[] = [undefined, '2025-11-25', '2025-03-26', '2024-11-05', '2026-07-28', 'x', ''];
const SESSIONS = ['good', 'none', 'unknown'] as const;

test('every mix of Accept, Content-Type, version and session gets the status of the table', async () => {
  await using open = await door();
  const session = await newSession(open.url);
  let combinations = 0;
  for (const accept of ACCEPTS) {
    for (const type of JSON_TYPES) {
      for (const version of VERSIONS) {
        for (const which of SESSIONS) {
          combinations += 1;
          const id = { good: session['mcp-session-id'], none: undefined, unknown: 'f'.repeat(32) }[which];
          const headers = { accept, 'content-type': type, 'mcp-protocol-version': version, 'mcp-session-id': id };
          const { status } = await exchange(open.url, { headers, body: PING });
          const goodAccept = ACCEPTS.indexOf(accept) < 3;
          const goodType = JSON_TYPES.indexOf(type) < 2;
          const goodVersion = VERSIONS.indexOf(version) < 4;
          // A modern request has no session: what it says of one is not looked at, and its body lacks the envelope.
          const modern = version === '2026-07-28';
          const expected =
            which === 'unknown' && !modern
              ? 404
              : !goodAccept
                ? 406
                : !goodType
                  ? 415
                  : !goodVersion || which === 'none'
                    ? 400
                    : 200;
          assert.equal(status, expected, JSON.stringify(headers));
        }
      }
    }
  }
  assert.equal(combinations, 882);
  assert.equal(open.count(), 1);
});

test('a question without the envelope of its revision is told so, and is a legacy one where it names none', async () => {
  await using open = await door();
  const body = { jsonrpc: '2.0', id: 'probe', method: 'server/discover' };
  const codes = { '2026-07-28': -32602, '2025-11-25': -32600, none: -32600 };
  for (const [version, code] of Object.entries(codes)) {
    const headers = { ...POST_HEADERS, 'mcp-protocol-version': version === 'none' ? undefined : version };
    const { status, json } = await exchange(open.url, { headers, body });
    assert.deepEqual([status, json.id, json.error.code], [400, 'probe', code]);
  }
});

test('bodies that are no message are refused with their reason, and the session lives', async () => {
  await using open = await door({ limits: { ...LIMITS, messageBytes: 10_000 } });
  const session = await newSession(open.url);
  const headers = { ...POST_HEADERS, ...session };
  const bodies: [body: string | Buffer, status: number, code: number, id: unknown][] = [
    ['', 400, -32700, null],
    ['{', 400, -32700, null],
    ['{"jsonrpc":"2.0","id":1,"method":"a\nb"}', 400, -32700, 1],
    [Buffer.from([0x22, 0xff, 0x22]), 400, -32700, null],
    ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600, null],
    ['[]', 400, -32600, null],
    ['"a"', 400, -32600, null],
    ['{"id":1}', 400, -32600, null],
    [`{"jsonrpc":"2.0","id":3,"method":"ping","params":${'['.repeat(100)}${']'.repeat(100)}}`, 400, -32600, 3],
    [`{"jsonrpc":"2.0","id":4,"method":"ping","params":"${'x'.repeat(10_000)}"}`, 413, -31053, null],
  ];
  for (const [body, status, code, id] of bodies) {
    const reply = await exchange(open.url, { headers, body });
    const label = String(body).slice(0, 60);
    assert.equal(reply.status, status, label);
    assert.equal(reply.json.error.code, code, label);
    assert.equal(reply.json.id, id, label);
  }
  const pretty = JSON.stringify({ ...PING, params: { text: 'a\\"\n' } }, null, '\t').replaceAll('\n', '\r\n');
  assert.equal((await exchange(open.url, { headers, body: pretty })).status, 200);
});

test('integers beyond 2^53, fractional ids and unknown members reach the owner byte for byte', async () => {
  await using open = await door();
  const headers = { ...POST_HEADERS, ...(await newSession(open.url)) };
  const text = '{"jsonrpc":"2.0","x":1,"id":1.5,"method":"ping","params":{"n":9007199254740993,"p":"\\u00e9"}}';
  const { body } = await exchange(open.url, { headers, body: text });
  assert.match(body, /"id":1\.5/);
  const owner = await open.owner();
  assert.equal(owner.messages.at(-1)?.bytes.toString(), text);
});

test('ids are told apart as text, and one that is open is refused to a second request', async () => {
  await using door_ = await door();
  const headers = { ...POST_HEADERS, ...(await newSession(door_.url)) };
  const owner = await door_.owner();
  const hold = (id: unknown): object => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'hold' } });
  const first = exchange(door_.url, { headers, body: hold(1) });
  const text = exchange(door_.url, { headers, body: hold('1') });
  await owner.until(() => owner.held.length === 2);
  const second = await exchange(door_.url, { headers, body: hold(1) });
  assert.equal(second.status, 400);
  assert.deepEqual([second.json.id, second.json.error.code], [1, -32600]);
  for (const { id } of owner.held) owner.result(id, { id });
  assert.match((await first).body, /"id":1,/);
  assert.match((await text).body, /"id":"1",/);
});

test('notifications and answers get 202, DELETE ends the session, then it is 404', async () => {
  await using open = await door();
  const session = await newSession(open.url);
  const headers = { ...POST_HEADERS, ...session };
  const answer = { jsonrpc: '2.0', id: 'x', result: {} };
  const accepted = await exchange(open.url, { headers, body: answer });
  assert.deepEqual([accepted.status, accepted.body], [202, '']);
  assert.equal((await exchange(open.url, { headers, body: initializeRequest() })).status, 400);
  assert.equal((await exchange(open.url, { method: 'DELETE' })).status, 400);
  assert.equal((await exchange(open.url, { method: 'DELETE', headers: session })).status, 200);
  assert.equal((await (await open.owner()).end()).code, 'done');
  assert.equal((await exchange(open.url, { headers, body: PING })).status, 404);
  assert.equal((await exchange(open.url, { method: 'DELETE', headers: session })).status, 404);
  assert.equal(open.count(), 0);
});

test('the session id comes with the initialize result only, and a refused initialize leaves no session', async () => {
  await using open = await door();
  const session = await newSession(open.url);
  assert.match(session['mcp-session-id'] ?? '', /^[0-9a-f]{32}$/);
  const later = await exchange(open.url, { headers: { ...POST_HEADERS, ...session }, body: PING });
  assert.deepEqual([later.status, later.headers['mcp-session-id']], [200, undefined]);
  await using refusing = await door({
    onSession: (transport) =>
      transport.start({
        message: ({ id = 'null' }) => {
          const error = Buffer.from(`{"jsonrpc":"2.0","id":${id},"error":{"code":-32602,"message":"no"}}`);
          transport.send({ kind: 'response', id, method: undefined, bytes: error });
        },
        fault: () => {},
        closed: () => {},
      }),
  });
  const reply = await exchange(refusing.url, { body: initializeRequest() });
  assert.equal(reply.headers['mcp-session-id'], undefined);
  assert.match(reply.body, /"code":-32602/);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(refusing.count(), 0);
});

test('other methods get 405 with Allow, other paths 404', async () => {
  await using any = await door();
  for (const method of ['PUT', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE']) {
    const reply = await exchange(any.url, { method });
    assert.deepEqual([reply.status, reply.headers.allow], [405, 'GET, POST, DELETE']);
  }
  await using paths = await door({ paths: { streamable: 'mcp', sse: 'sse' } });
  assert.equal((await exchange(new URL('/secret/other', paths.url), { body: initializeRequest() })).status, 404);
  assert.equal((await exchange(new URL('/secret/mcp', paths.url), { body: initializeRequest() })).status, 200);
  assert.equal((await exchange(new URL('/secret/mcp', paths.url), { method: 'GET' })).status, 400);
  assert.equal((await exchange(new URL('/secret/sse', paths.url), { body: initializeRequest() })).status, 400);
  assert.equal((await exchange(new URL('/secret/sse', paths.url), { method: 'DELETE' })).headers.allow, 'GET, POST');
  await using stateless = await door({ stateless: true });
  assert.equal((await exchange(stateless.url, { method: 'GET' })).headers.allow, 'POST');
});

test('the endpoint of an SSE session carries the path it was opened at, and is no other host', async () => {
  await using any = await door({ paths: { streamable: 'mcp', sse: 'sse' } });
  for (const [path, expected] of [
    ['/s3cret/sse', '/s3cret/sse?sessionid='],
    ['/s3cret/sse?a=b', '/s3cret/sse?a=b&sessionid='],
    ['//evil.example/sse', '/evil.example/sse?sessionid='],
    ['http://evil.example/x/sse', '/x/sse?sessionid='],
  ] as const) {
    const socket = net.connect(Number(any.url.port), '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    let text = '';
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.includes('\n\n')) break;
    }
    socket.destroy();
    assert.ok(text.includes(`event: endpoint\ndata: ${expected}`), `${path}: ${text}`);
    assert.match(text, /x-accel-buffering: no/i);
  }
});

test('a GET in a mount in front is answered with the original path', async () => {
  const inner = await door();
  const server = http.createServer((request, response) => {
    Object.assign(request, { originalUrl: request.url });
    request.url = '/';
    inner.server.emit('request', request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as net.AddressInfo;
  const { request, response } = await open(new URL(`http://127.0.0.1:${address.port}/a/b/sse`), { method: 'GET' });
  const [chunk] = await once(response, 'data');
  assert.match(String(chunk), /data: \/a\/b\/sse\?sessionid=/);
  request.destroy();
  server.close();
  server.closeAllConnections();
  await inner[Symbol.asyncDispose]();
});

test('SSE POSTs answer 202, 400 without JSON, 404 for sessions that are gone', async () => {
  await using any = await door();
  const { request, response } = await open(any.url, { method: 'GET', headers: { accept: 'text/event-stream' } });
  const chunks = response[Symbol.asyncIterator]();
  const first = String((await chunks.next()).value);
  const endpoint = new URL(/data: (.*)/.exec(first)?.[1] ?? '', any.url);
  // As Go's client: no Accept.
  const headers = { 'content-type': 'application/json' };
  assert.equal((await exchange(endpoint, { headers, body: PING })).status, 202);
  assert.equal((await exchange(endpoint, { headers, body: '{' })).status, 400);
  assert.equal((await exchange(endpoint, { headers, body: [PING] })).status, 400);
  const event = String((await chunks.next()).value);
  assert.equal(event, 'event: message\ndata: {"jsonrpc":"2.0","id":9,"result":{}}\n\n');
  request.destroy();
  assert.equal((await (await any.owner()).end()).code, 'done');
  assert.equal((await exchange(endpoint, { headers, body: PING })).status, 404);
});

test('more sessions than there is room for are refused with a hint when to try again', async () => {
  await using open = await door({ maxSessions: 2 });
  await newSession(open.url);
  await newSession(open.url);
  const reply = await exchange(open.url, { body: initializeRequest('2025-11-25', 7) });
  assert.deepEqual([reply.status, reply.json.id, reply.json.error.code], [503, 7, -31000]);
  assert.equal(reply.headers['retry-after'], '1');
  assert.equal((await exchange(open.url, { method: 'GET' })).status, 503);
});

test('a session without requests and streams ends after its idle time, one with a stream does not', async () => {
  await using door_ = await door({ idleMs: 800, keepAliveMs: 20 });
  const listening = await newSession(door_.url);
  const { request } = await open(door_.url, { method: 'GET', headers: { accept: 'text/event-stream', ...listening } });
  await newSession(door_.url);
  const idle = await door_.owner(1);
  assert.match((await idle.end()).reason, /no request/);
  assert.equal(door_.owners[0]?.closed, undefined);
  assert.equal(door_.count(), 1);
  request.destroy();
  assert.match((await (await door_.owner(0)).end()).reason, /no request/);
});

test('streams are kept alive with comments', async () => {
  await using door_ = await door({ keepAliveMs: 10 });
  const session = await newSession(door_.url);
  const headers = { accept: 'text/event-stream', ...session };
  const { response } = await open(door_.url, { method: 'GET', headers });
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.split(': keep-alive\n\n').length > 3) break;
  }
  assert.match(text, /^id: g\d+-0\nretry: \d+\ndata:\n\n/);
});

test('close ends every stream, answers open requests, and nothing stays open', async () => {
  const door_: Door = await door();
  const session = await newSession(door_.url);
  const headers = { ...POST_HEADERS, ...session };
  const hold = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'hold' } };
  const call = exchange(door_.url, { headers, body: hold });
  const listener = exchange(door_.url, { method: 'GET', headers: { accept: 'text/event-stream', ...session } });
  const sse = exchange(door_.url, { method: 'GET' });
  await door_.owner(1);
  const owner = await door_.owner(0);
  await owner.until(() => owner.held.length === 1);
  await door_.close();
  assert.match((await call).body, /"code":-31051/);
  await Promise.all([listener, sse]);
  assert.equal(door_.owners.filter(({ closed }) => closed?.code === 'done').length, 2);
  assert.equal((await exchange(door_.url, { body: initializeRequest() })).status, 503);
  await door_[Symbol.asyncDispose]();
});

test('a client that reads nothing makes send answer false, and is cut off at the hard mark', async () => {
  await using door_ = await door({ limits: { ...LIMITS, softQueueBytes: 100_000, hardQueueBytes: 8_000_000 } });
  const session = await newSession(door_.url);
  const headers = { accept: 'text/event-stream', ...session };
  const { response } = await open(door_.url, { method: 'GET', headers });
  response.pause();
  const owner = await door_.owner();
  const notice = { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'x'.repeat(50_000) } };
  let sent = 0;
  while (owner.send(notice)) {
    sent += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sent * 50_000 < 8_000_000);
  let drained = false;
  const waiting = owner.transport.drained().then(() => {
    drained = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(drained, false);
  response.resume();
  await waiting;
  response.pause();
  // A source that does not listen to `false`.
  for (let n = 0; n < 400; n += 1) owner.send(notice);
  assert.equal((await owner.end()).code, 'queue_full');
});

test('an owner that pauses leaves bodies unread, and gets them in order afterwards', async () => {
  await using door_ = await door();
  const headers = { ...POST_HEADERS, ...(await newSession(door_.url)) };
  const owner = await door_.owner();
  owner.transport.pause();
  const before = owner.messages.length;
  const calls = [1, 2, 3].map((id) => exchange(door_.url, { headers, body: { ...PING, id } }));
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(owner.messages.length, before);
  owner.transport.resume();
  for (const call of calls) assert.equal((await call).status, 200);
  assert.equal(owner.messages.length, before + 3);
});
