// Servers that break, lie or never end: every request is answered, memory is bounded, nothing leaks to other hosts.

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { RelayError } from '../../../src/errors.ts';
import { LIMITS } from '../../../src/limits.ts';
import { type HttpTransportOptions, httpTransport } from '../../../src/transports/http/client.ts';
import { door, initializeRequest, listening, Recorder } from './harness.ts';
import { duplexPair } from './streams.ts';

const LIMITED = { ...LIMITS, messageBytes: 50_000 };
const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} };
const LIST = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
const RESULT = '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}';

type Act = (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void;

interface Hostile extends AsyncDisposable {
  readonly url: URL;
  readonly seen: http.IncomingMessage[];
}

/** Answers `initialize` properly, 405 to GET, and everything else by `act`. */
async function hostile(act: Act, options: { everything?: boolean } = {}): Promise<Hostile> {
  const seen: http.IncomingMessage[] = [];
  const server = http.createServer((request, response) => {
    seen.push(request);
    response.on('error', () => {});
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += String(chunk);
    });
    request.on('end', () => {
      if (options.everything === true) act(request, response, body);
      else if (request.method !== 'POST') response.writeHead(405).end();
      else if (body.includes('"initialize"')) response.writeHead(200, json).end(RESULT);
      else if (!body.includes('"id"')) response.writeHead(202).end();
      else act(request, response, body);
    });
  });
  const url = new URL('/mcp', await listening(server));
  return {
    url,
    seen,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const json = { 'content-type': 'application/json' };
const events = { 'content-type': 'text/event-stream' };

async function connect(url: URL | string, options: Partial<HttpTransportOptions> = {}): Promise<Recorder> {
  const client = new Recorder(httpTransport({ url: String(url), protocol: 'streamable', limits: LIMITED, ...options }));
  client.send(initializeRequest());
  await Promise.race([client.answer(0), client.end()]);
  return client;
}

const FLOOD = Buffer.alloc(64 * 1024, 'x');

/** Writes until the other end closes; what it took in all. */
function flood(response: http.ServerResponse, chunk: Buffer = FLOOD): void {
  const more = (): void => {
    while (!response.destroyed && response.write(chunk)) {
      // as fast as it goes
    }
  };
  response.on('drain', more);
  more();
}

const ACTS: Record<string, { act: Act; call: RegExp; list?: RegExp }> = {
  'HTTP 500': { act: (_q, r) => r.writeHead(500).end('oops'), call: /-31051.*HTTP 500/ },
  'HTTP 400 without a reason': { act: (_q, r) => r.writeHead(400).end('no'), call: /-31050.*HTTP 400/ },
  'HTTP 403 for one call': { act: (_q, r) => r.writeHead(403).end(), call: /-31050.*has the right/ },
  'a JSON-RPC error in a 400 with no id': {
    act: (_q, r) => r.writeHead(400, json).end('{"jsonrpc":"2.0","id":null,"error":{"code":-3,"message":"m","x":1}}'),
    call: /"error":\{"code":-3,"message":"m","x":1\}/,
  },
  'a wrong content type': {
    act: (_q, r) => r.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    call: /-31051.*text\/html/,
  },
  'no content type': { act: (_q, r) => r.writeHead(200).end('{}'), call: /-31051.*no content type/ },
  '202 to a request': { act: (_q, r) => r.writeHead(202).end(), call: /-31051.*without an answer/ },
  'the answer to another request': {
    act: (_q, r) => r.writeHead(200, json).end('{"jsonrpc":"2.0","id":77,"result":{}}'),
    call: /-31051.*no answer/,
  },
  'a stream that ends without an answer': {
    act: (_q, r) => r.writeHead(200, events).end(': bye\n\n'),
    call: /-31051.*outcome unknown: .*ended without an answer; it may or may not have run, and is not run again/,
  },
  'a cut body': {
    act: (_q, r) => {
      r.writeHead(200, { ...json, 'content-length': 100 });
      r.write('{', () => r.destroy());
    },
    call: /-31051/,
  },
  'a cut connection': { act: (q) => q.socket.destroy(), call: /-31051.*cut/, list: /-31050.*cut/ },
  'endless headers': {
    act: (q) => {
      q.socket.write('HTTP/1.1 200 OK\r\n');
      const more = (): void => {
        while (!q.socket.destroyed && q.socket.write(`x-h: ${'y'.repeat(8000)}\r\n`)) {
          // as fast as it goes
        }
      };
      q.socket.on('drain', more).on('error', () => {});
      more();
    },
    call: /-31051.*headers are too large/,
  },
  'something that is not HTTP': {
    act: (q) => q.socket.end('SSH-2.0-OpenSSH\r\n\r\n'),
    call: /-31051.*does not speak HTTP/,
  },
};

for (const [name, { act, call, list = /-3105|-3,/ }] of Object.entries(ACTS)) {
  test(`${name}: the request is answered with an error, the session lives`, async () => {
    await using server = await hostile(act);
    const client = await connect(server.url);
    client.send(CALL);
    assert.match(JSON.stringify(await client.answer(1)), call);
    client.send(LIST);
    assert.match(JSON.stringify(await client.answer(2)), list);
    assert.equal(client.closed, undefined);
    await client.transport.close();
  });
}

test('an error names whose server failed, where that has a name', async () => {
  await using server = await hostile((request) => request.socket.destroy());
  const facts = { backend: 'fs' };
  const client = await connect(server.url, { name: 'backend fs', facts });
  const error = async (id: number) =>
    ((await client.answer(id)) as unknown as { error: { message: string; data: unknown } }).error;
  client.send(CALL);
  const unknown = await error(1);
  assert.match(unknown.message, /^outcome unknown: backend fs: 127\.0\.0\.1:\d+.* cut; it may or may not have run/);
  assert.deepEqual(unknown.data, { error: 'outcome_unknown', backend: 'fs', host: server.url.host });
  client.send(LIST);
  assert.match((await error(2)).message, /^backend fs: 127\.0\.0\.1:\d+/);
  await client.transport.close();
});

const FLOODS: Record<string, Act> = {
  'an endless JSON body': (_q, r) => flood(r.writeHead(200, json)),
  'an endless event': (_q, r) => {
    r.writeHead(200, events).write('data: {"jsonrpc":"2.0","id":1,"result":"');
    setTimeout(() => r.write('"}\n\n'), 50);
    for (let n = 0; n < 20; n += 1) r.write(FLOOD);
  },
  'an announced length beyond the cap': (_q, r) => r.writeHead(200, { ...json, 'content-length': 1e12 }).write('{'),
};

for (const [name, act] of Object.entries(FLOODS)) {
  test(`${name} is reported as too large under the id of its request`, async () => {
    await using server = await hostile(act);
    const client = await connect(server.url);
    client.send(CALL);
    const fault = await client.until(() => client.faults[0]);
    assert.deepEqual([fault.code, fault.id, fault.kind], ['message_too_large', '1', 'response']);
    assert.equal(client.messages.length, 1);
    await client.transport.close();
  });
}

test('comments and blank lines without end cost no memory and do not stop close', async () => {
  const chunk = Buffer.from(': x\n\n\r\r'.repeat(8000));
  const chunks = 2000;
  let enough: () => void = () => {};
  const swallowed = new Promise<void>((resolve) => {
    enough = resolve;
  });
  await using server = await hostile((_q, r) => {
    let left = chunks;
    r.on('drain', () => {
      left -= 1;
      if (left === 0) enough();
    });
    flood(r.writeHead(200, events), chunk);
  });
  const client = await connect(server.url);
  const before = process.memoryUsage();
  client.send(CALL);
  await swallowed;
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  const grown = heapUsed + arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.ok(grown < (chunks * chunk.length) / 2, `${grown} bytes more after ${chunks * chunk.length}`);
  await client.transport.close();
  assert.equal(client.closed?.code, 'done');
});

test('401 closes with what to configure, 403 to initialize too, and neither tells the path', async () => {
  for (const status of [401, 403]) {
    await using server = await hostile((_q, r) => r.writeHead(status).end(), { everything: true });
    for (const protocol of ['streamable', 'sse', 'auto'] as const) {
      const client = await connect(new URL('/secret-path?key=1', server.url), { protocol });
      assert.equal(client.closed?.code, 'http_unauthorized');
      assert.match(client.closed?.reason ?? '', new RegExp(`HTTP ${status}.*configure`));
      assert.doesNotMatch(client.closed?.reason ?? '', /secret-path|key=1/);
    }
  }
});

test('T29: a redirect to another origin is refused by name, and no header reaches it', async () => {
  const canary = 'Bearer canary-5151';
  const reached: http.IncomingHttpHeaders[] = [];
  await using thief = await hostile(
    (request, r) => {
      reached.push(request.headers);
      r.writeHead(200, json).end(RESULT);
    },
    { everything: true },
  );
  for (const status of [301, 302, 307, 308]) {
    for (const protocol of ['streamable', 'sse'] as const) {
      const location = new URL('/taken?stolen=1', thief.url).href;
      await using server = await hostile((_q, r) => r.writeHead(status, { location }).end(), { everything: true });
      const client = await connect(server.url, { protocol, headers: { Authorization: canary } });
      assert.equal(client.closed?.code, 'http_failed');
      assert.match(client.closed?.reason ?? '', new RegExp(`redirects to ${thief.url.origin}`));
      assert.doesNotMatch(client.closed?.reason ?? '', /taken|stolen|canary/);
      assert.equal(server.seen[0]?.headers.authorization, canary);
    }
  }
  assert.equal(reached.length, 0);
});

test('redirects within the origin are followed with method, body and headers, five at most', async () => {
  await using server = await hostile(
    (request, r, body) => {
      const n = Number(new URL(request.url ?? '', 'http://x').searchParams.get('n') ?? 0);
      const last = Number(new URL(request.url ?? '', 'http://x').searchParams.get('last') ?? 0);
      if (n < last) r.writeHead(307, { location: `/x?n=${n + 1}&last=${last}` }).end();
      else if (request.headers.authorization !== 'a' || !body.includes('initialize')) r.writeHead(500).end();
      else r.writeHead(200, json).end(RESULT);
    },
    { everything: true },
  );
  const fine = await connect(new URL('/x?last=5', server.url), { headers: { authorization: 'a' } });
  assert.equal(fine.closed, undefined);
  await fine.transport.close();
  const tooMany = await connect(new URL('/x?last=6', server.url), { headers: { authorization: 'a' } });
  assert.match(tooMany.closed?.reason ?? '', /more than 5 times/);
});

test('T29: an endpoint on another origin is refused', async () => {
  let posts = 0;
  await using thief = await hostile(
    (_q, r) => {
      posts += 1;
      r.writeHead(202).end();
    },
    { everything: true },
  );
  for (const endpoint of [
    thief.url.href,
    `//${thief.url.host}/x`,
    'https://127.0.0.1/x',
    'javascript:alert(1)',
    'http://',
  ]) {
    await using server = await hostile(
      (_q, r) => {
        r.writeHead(200, events).write(`event: endpoint\ndata: ${endpoint}\n\n`);
      },
      { everything: true },
    );
    const client = await connect(server.url, { protocol: 'sse' });
    assert.equal(client.closed?.code, 'http_failed');
    assert.match(client.closed?.reason ?? '', /another origin/);
    await client.transport.close();
  }
  assert.equal(posts, 0);
});

test('an SSE server that ends its stream closes the session, early or late', async () => {
  await using early = await hostile((_q, r) => r.writeHead(200, events).end(), { everything: true });
  assert.match((await connect(early.url, { protocol: 'sse' })).closed?.reason ?? '', /before it told where/);
  await using late = await hostile(
    (request, r) => {
      if (request.method === 'POST') r.writeHead(202).end();
      else {
        r.writeHead(200, events).write('event: endpoint\ndata: /x\n\n');
        setTimeout(() => r.end(), 20);
      }
    },
    { everything: true },
  );
  assert.equal((await connect(late.url, { protocol: 'sse' })).closed?.code, 'connection_lost');
  await using page = await hostile((_q, r) => r.writeHead(200, { 'content-type': 'text/html' }).end(), {
    everything: true,
  });
  assert.match((await connect(page.url, { protocol: 'sse' })).closed?.reason ?? '', /text\/html/);
});

test('a refused connection closes with host and cause', async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  for (const protocol of ['streamable', 'sse', 'auto'] as const) {
    const client = await connect(`http://127.0.0.1:${port}/secret`, { protocol });
    assert.deepEqual(client.closed, { code: 'http_failed', reason: `127.0.0.1:${port}: connection refused` });
  }
});

test('a connection that is not made in time is given up', async () => {
  const fetchVia = {
    connect: (signal: AbortSignal) =>
      new Promise<Duplex>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  };
  const client = await connect('http://mcp-backend/sse', { protocol: 'sse', fetchVia, connectTimeoutMs: 20 });
  assert.deepEqual(client.closed, { code: 'http_failed', reason: 'mcp-backend: no connection within 0.02 s' });
});

test('addresses and headers that cannot be used are thrown, without what is secret in them', () => {
  const make = (url: string, more: Partial<HttpTransportOptions> = {}): (() => unknown) => {
    return () => httpTransport({ url, protocol: 'auto', ...more });
  };
  const is = (text: RegExp) => (error: unknown) =>
    error instanceof RelayError &&
    error.code === 'http_failed' &&
    text.test(error.message) &&
    !/s3cret/.test(error.message);
  assert.throws(make('s3cret'), is(/must begin with/));
  assert.throws(make('ftp://a/s3cret'), is(/must begin with/));
  assert.throws(make('http://example.com/s3cret'), is(/without encryption/));
  assert.throws(make('https://a/', { fetchVia: { connect: () => Promise.reject(new Error()) } }), is(/overlay/));
  assert.throws(make('https://a/', { headers: { 'Content-Length': 's3cret' } }), is(/Content-Length/));
  assert.throws(make('https://a/', { headers: { 'x-a': 's3cret\r\nx: y' } }), is(/no valid HTTP header/));
  for (const url of ['http://127.0.0.1:1/', 'http://localhost/', 'http://[::1]/']) assert.doesNotThrow(make(url));
  assert.doesNotThrow(make('http://example.com/', { allowInsecure: true }));
});

test('an owner that pauses stops the server, which then waits in bounded memory', async () => {
  await using server = await hostile((_q, r) => {
    const event = Buffer.from(
      `data: {"jsonrpc":"2.0","method":"notifications/x","params":["${'y'.repeat(10_000)}"]}\n\n`,
    );
    flood(r.writeHead(200, events), event);
  });
  const client = await connect(server.url);
  client.send(CALL);
  await client.notice('notifications/x');
  client.transport.pause();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const before = client.messages.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(client.messages.length, before);
  client.transport.resume();
  await client.until(() => client.messages.length > before);
  await client.transport.close();
});

test('a server that takes nothing makes send answer false until it does', async () => {
  let go: () => void = () => {};
  const server = http.createServer((request, response) => {
    go = () => {
      request.resume();
      request.on('end', () => response.writeHead(202).end());
    };
  });
  const url = await listening(server);
  const client = new Recorder(
    httpTransport({ url: String(url), protocol: 'streamable', limits: { ...LIMITS, softQueueBytes: 100_000 } }),
  );
  const notice = { jsonrpc: '2.0', method: 'notifications/x', params: ['y'.repeat(17_000_000)] };
  assert.equal(client.send(notice), false);
  const asked = new Promise((resolve) => server.once('request', resolve));
  const drained = client.transport.drained();
  await asked;
  go();
  await drained;
  await client.transport.close();
  server.close();
  server.closeAllConnections();
});

test('over an overlay each HTTP connection is one dialled stream, kept and used again, to a server that never listens', async () => {
  await using inner = await door();
  let dials = 0;
  const connectVia = async (): Promise<Duplex> => {
    dials += 1;
    // A pair of plain streams without any of a socket's methods.
    const [ours, theirs] = duplexPair();
    inner.server.emit('connection', theirs);
    return ours;
  };
  for (const protocol of ['sse', 'streamable'] as const) {
    dials = 0;
    const client = new Recorder(
      httpTransport({ url: 'http://mcp-backend/sse', protocol, fetchVia: { connect: connectVia } }),
    );
    client.send(initializeRequest());
    await client.answer(0);
    client.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    for (let id = 10; id < 30; id += 1) {
      client.send({ ...CALL, id, params: { name: 'echo', arguments: { text: id } } });
      assert.equal((await client.answer(id)).result.content[0].text, String(id));
    }
    assert.ok(dials <= 4, `${dials} dials`);
    await client.transport.close();
  }
});
