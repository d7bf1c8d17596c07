// The host's door: everybody is judged before anything of his is taken, whatever he speaks, and told why he is not let in.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { type AcceptedSession, Acceptor, type AcceptorOptions } from '../src/acceptor.ts';
import { requestMessage, resultMessage } from '../src/json-rpc.ts';
import { LIMITS } from '../src/limits.ts';
import { dialLink } from '../src/link/dialer.ts';
import type { Judgement } from '../src/link/judgement.ts';

const log = { debug: () => {}, info: () => {}, warn: () => {} };
const SESSION = 'a'.repeat(32);
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 't', version: '1' } },
};

interface Who {
  readonly id: string;
  readonly rank: number;
}

/** `answers`: what sessions ask is answered, with nothing. */
async function door(
  judge: (connection: Duplex, proof: unknown) => Judgement<Who> | Promise<Judgement<Who>>,
  answers = false,
  more: Pick<AcceptorOptions, 'once' | 'limits' | 'elsewhere' | 'turnAway'> = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'door-'));
  const path = join(folder, 's');
  const sessions: AcceptedSession<Who>[] = [];
  const acceptor = new Acceptor<Who>({
    by: 'host/1',
    log,
    judge,
    ...more,
    prove: () => ({ sig: 'host' }),
    onSession: (session) => {
      sessions.push(session);
      session.transport.start({
        message: ({ id }) => {
          if (answers && id !== undefined) session.transport.send(resultMessage(id, {}));
        },
        fault: () => {},
        closed: () => {},
      });
    },
  });
  const server = createServer({ allowHalfOpen: true }, acceptor.accept);
  server.listen(path);
  await once(server, 'listening');
  return {
    path,
    sessions,
    [Symbol.asyncDispose]: async () => {
      await acceptor.close();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Everything the door says to these first bytes, until it ends or `until` was seen. */
function say(path: string, text: string, until = /$^/): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(path);
    let heard = '';
    socket.setEncoding('utf8').on('error', reject);
    socket.on('connect', () => socket.write(text));
    socket.on('data', (chunk: string) => {
      heard += chunk;
      if (until.test(heard)) socket.destroy();
    });
    socket.on('close', () => resolve(heard));
  });
}

async function post(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; answer: IncomingMessage }> {
  const asked = request({
    socketPath: path,
    method: 'POST',
    path: '/mcp',
    agent: false,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
  });
  asked.end(JSON.stringify(INITIALIZE));
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let body = '';
  if (answer.statusCode !== 200) for await (const chunk of answer.setEncoding('utf8')) body += chunk;
  else answer.destroy();
  return { status: answer.statusCode ?? 0, body, answer };
}

const refused = { code: 'peer_unproven', reason: 'come with an identity' };

test('over HTTP: 403 to each request, with the reason and its code; no session is opened', async () => {
  const asked: unknown[] = [];
  await using host = await door((connection, proof) => {
    asked.push(typeof connection.pipe, proof);
    return { refused };
  });
  const { status, body, answer } = await post(host.path);
  assert.equal(status, 403);
  assert.deepEqual(JSON.parse(body), {
    jsonrpc: '2.0',
    id: null,
    error: { code: -31055, message: 'come with an identity', data: { error: 'refused', code: 'peer_unproven' } },
  });
  assert.equal(answer.headers.connection, 'close');
  assert.deepEqual(asked, ['function', null]);
  const sse = await say(host.path, 'GET /sse HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(sse, /^HTTP\/1\.1 403 /);
  const stream = await say(host.path, 'GET /sse HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n');
  assert.match(stream, /^HTTP\/1\.1 403 [\s\S]*\nevent: come with an identity\ndata: \{"jsonrpc".*peer_unproven/);
  assert.deepEqual(host.sessions, []);
});

test('over HTTP: who is let in has a session under his name; a web page is refused before that', async () => {
  await using host = await door(async () => ({ principal: { id: 'alice', rank: 7 } }));
  const asked = request({
    socketPath: host.path,
    method: 'POST',
    path: '/mcp',
    agent: false,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  });
  asked.on('error', () => {});
  asked.end(JSON.stringify(INITIALIZE));
  while (host.sessions.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([host.sessions[0]?.principal, host.sessions[0]?.protocol], [{ id: 'alice', rank: 7 }, 'http']);
  asked.destroy();
  assert.equal((await post(host.path, { origin: 'https://evil.example' })).status, 403);
  assert.equal(host.sessions.length, 1);
});

test('bare NDJSON: one line that says why, then the end', async () => {
  await using host = await door(() => ({ refused: { ...refused, retryMs: 5000 } }));
  const heard = await say(host.path, `${JSON.stringify(INITIALIZE)}\n`);
  assert.deepEqual(JSON.parse(heard), {
    jsonrpc: '2.0',
    id: null,
    error: {
      code: -31055,
      message: 'come with an identity',
      data: { error: 'refused', code: 'peer_unproven', retryAfterMs: 5000 },
    },
  });
  assert.deepEqual(host.sessions, []);
});

test('a link: the refusal of the judge is the answer; who is let in is shown our proof', async () => {
  let welcome = false;
  const proofs: unknown[] = [];
  await using host = await door((_connection, proof) => {
    proofs.push(proof);
    return welcome ? { principal: { id: 'bob', rank: 1 } } : { refused };
  });
  const hello = `MCP-LINK/1 ${JSON.stringify({ link: null, session: SESSION, by: 't', proof: { sig: 'x' } })}\n`;
  assert.equal(await say(host.path, hello), `MCP-LINK/1 ${JSON.stringify({ error: refused })}\n`);
  welcome = true;
  const heard = await say(host.path, hello, /\n/);
  assert.deepEqual((JSON.parse(heard.slice('MCP-LINK/1 '.length)) as { proof: unknown }).proof, { sig: 'host' });
  assert.deepEqual(proofs, [{ sig: 'x' }, { sig: 'x' }]);
  assert.deepEqual([host.sessions.length, host.sessions[0]?.principal.id], [1, 'bob']);
});

const ACCEPT = 'application/json, text/event-stream';

/** One request on a connection of its own; its answer's headers, not waited for further. */
async function ask(path: string, method: string, headers: Record<string, string>, body = '') {
  const asked = request({ socketPath: path, method, path: '/mcp', agent: false, headers });
  asked.on('error', () => {});
  asked.end(body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  const { statusCode, headers: said } = answer;
  answer.on('error', () => {}).destroy();
  return { status: statusCode, session: String(said['mcp-session-id'] ?? ''), said };
}

test('T07: a bearer of an HTTP request is judged, is no more there for anybody behind, and 401 where it is no good', async () => {
  const offers: unknown[] = [];
  await using host = await door((_connection, proof) => {
    offers.push(proof);
    const { access } = (proof ?? {}) as { access?: { bearer?: string } };
    if (access?.bearer === 'good') return { principal: { id: 'token:1', rank: 1 } };
    return { refused: proof === null ? refused : { code: 'access_expired', reason: 'it was good until noon' } };
  });
  const headers = { 'content-type': 'application/json', accept: ACCEPT };
  const none = await post(host.path);
  assert.equal(none.status, 403);
  const bad = await post(host.path, { authorization: 'Bearer bad' });
  assert.equal(bad.status, 401);
  assert.equal(bad.answer.headers['www-authenticate'], 'Bearer error="invalid_token"');
  assert.equal((JSON.parse(bad.body) as { error: { data: { code: string } } }).error.data.code, 'access_expired');
  const stream = await say(
    host.path,
    'GET /sse HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer x\r\n\r\n',
  );
  assert.match(stream, /^HTTP\/1\.1 401 [\s\S]*event: it was good until noon/);
  for (const authorization of ['Basic Z29vZA==', 'Bearer', 'Bearer a b', 'good']) {
    assert.equal((await post(host.path, { authorization })).status, 403, `${authorization} is no bearer`);
  }
  assert.equal(host.sessions.length, 0);
  const asked = request({
    socketPath: host.path,
    method: 'POST',
    path: '/mcp',
    agent: false,
    headers: { ...headers, authorization: 'bearer good' },
  });
  asked.on('error', () => {});
  asked.end(JSON.stringify(INITIALIZE));
  while (host.sessions.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(host.sessions[0]?.principal.id, 'token:1');
  asked.destroy();
  assert.deepEqual(offers.at(-1), { access: { bearer: 'good' } });
});

test("T08: an HTTP session goes on only with requests of whoever began it; another's is one that is not there", async () => {
  await using host = await door((_connection, proof) => {
    const { access } = (proof ?? {}) as { access?: { bearer?: string } };
    return { principal: { id: access?.bearer ?? 'owner', rank: 1 } };
  }, true);
  const headers = (bearer: string | undefined, more: object = {}) => ({
    'content-type': 'application/json',
    accept: ACCEPT,
    ...(bearer && { authorization: `Bearer ${bearer}` }),
    ...more,
  });
  const { status, session } = await ask(host.path, 'POST', headers('alice'), JSON.stringify(INITIALIZE));
  assert.equal(status, 200);
  assert.match(session, /^\S{16,}$/);
  const ping = JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'ping' });
  const mine = { 'mcp-session-id': session };
  for (const thief of ['mallory', undefined]) {
    assert.equal((await ask(host.path, 'POST', headers(thief, mine), ping)).status, 404);
    assert.equal((await ask(host.path, 'GET', headers(thief, mine))).status, 404);
    assert.equal((await ask(host.path, 'DELETE', headers(thief, mine))).status, 404);
  }
  assert.equal((await ask(host.path, 'POST', headers('alice', mine), ping)).status, 200);
  assert.equal((await ask(host.path, 'DELETE', headers('alice', mine))).status, 200);
});

test('a link: a bearer that was announced is asked for, and told after our proof', async () => {
  const proofs: unknown[] = [];
  await using host = await door((_connection, proof) => {
    proofs.push(proof);
    const { access } = (proof ?? {}) as { access?: unknown };
    return access === 'bearer' ? { asks: true } : { principal: { id: 'jwt:x#bob', rank: 1 }, as: 'jwt:x#bob' };
  });
  const socket = connect(host.path);
  let heard = '';
  const line = async (): Promise<Record<string, unknown>> => {
    while (!heard.includes('\n')) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      heard += chunk.toString();
    }
    const [first = '', ...rest] = heard.split('\n');
    heard = rest.join('\n');
    return JSON.parse(first.slice('MCP-LINK/1 '.length)) as Record<string, unknown>;
  };
  socket.write(
    `MCP-LINK/1 ${JSON.stringify({ link: null, session: SESSION, by: 't', proof: { access: 'bearer' } })}\n`,
  );
  assert.deepEqual(await line(), { asks: true, proof: { sig: 'host' } });
  assert.deepEqual(host.sessions, []);
  socket.write('!proof {"access":{"bearer":"a.b.c"}}\n');
  const welcome = await line();
  assert.deepEqual([welcome.as, welcome.fresh], ['jwt:x#bob', true]);
  assert.deepEqual(proofs, [{ access: 'bearer' }, { access: { bearer: 'a.b.c' } }]);
  socket.destroy();
  const wrong = async (told: string, expected: RegExp): Promise<void> => {
    const hello = `MCP-LINK/1 ${JSON.stringify({ link: null, session: SESSION, by: 't', proof: { access: 'bearer' } })}\n`;
    const bad = connect(host.path);
    bad.setEncoding('utf8').write(hello);
    let text = '';
    bad.on('data', (chunk: string) => {
      if (text === '') bad.write(told);
      text += chunk;
    });
    await once(bad, 'close');
    assert.match(text, expected);
    assert.equal(text.includes('SECRET'), false);
  };
  await wrong('{"access":{"bearer":"SECRET"}}\n', /link_protocol/);
  await wrong('!proof SECRET\n', /link_protocol/);
  await wrong('!proof {"access":"bearer"}\n', /announces and does not tell/);
  await wrong('!proof {"access":{"bearer":"SECRET"}}\n!ping 1\n', /did not wait/);
});

test('the limit of sessions is for all shares of a host: what is open elsewhere counts, whatever is spoken', async () => {
  let elsewhere = 2;
  const more = { limits: { ...LIMITS, sessions: 2 }, elsewhere: () => elsewhere };
  await using host = await door(() => ({ principal: { id: 'alice', rank: 1 } }), true, more);
  const line = `${JSON.stringify(INITIALIZE)}\n`;
  const post = [
    'POST /mcp HTTP/1.1',
    'host: x',
    'content-type: application/json',
    'accept: application/json, text/event-stream',
    `content-length: ${line.length}`,
    '',
    line,
  ].join('\r\n');
  assert.match(await say(host.path, line), /too many sessions are open here/);
  assert.match(await say(host.path, post, /busy|too many/), /^HTTP\/1.1 503 /);
  assert.deepEqual(host.sessions, []);
  elsewhere = 1;
  assert.match(await say(host.path, line, /"result"/), /"result"/);
  assert.equal(host.sessions.length, 1);
});

test('who comes back to nothing may be let in where new sessions are turned away', async () => {
  const alice = { principal: { id: 'alice', rank: 1 } };
  const busy = { code: 'busy', reason: 'overloaded', retryMs: 5000 };
  await using host = await door(() => alice, true, { turnAway: (returning) => (returning ? undefined : busy) });
  const hello = (link: string, session: string): string =>
    `MCP-LINK/1 {"link":${link},"got":0,"session":"${session.repeat(32)}","by":"b/1"}\n`;
  assert.match(await say(host.path, hello('null', 'a')), /"busy"/);
  assert.match(await say(host.path, hello(`"${'c'.repeat(32)}"`, 'b'), /"fresh":true/), /"fresh":true/);
});

test('who is turned away is told why and when to come again, whatever is spoken; who is in goes on', async () => {
  let away: { code: string; reason: string; retryMs: number } | undefined;
  const alice = { principal: { id: 'alice', rank: 1 } };
  await using host = await door(() => alice, true, { turnAway: () => away });
  const link = dialLink({
    connect: async () => {
      const socket = connect(host.path);
      await once(socket, 'connect');
      sockets.push(socket);
      return socket;
    },
    session: 'a'.repeat(32),
    by: 'agent/1',
    backoff: { minMs: 1, maxMs: 1 },
  });
  const sockets: Socket[] = [];
  const answers: string[] = [];
  link.start({ message: ({ id = '' }) => void answers.push(id), fault: () => {}, closed: () => {} });
  await link.ready;
  away = { code: 'away', reason: 'it leaves', retryMs: 5000 };
  const hello = 'MCP-LINK/1 {"link":null,"got":0,"session":"0123456789abcdef0123456789abcdef","by":"b/1"}\n';
  assert.match(await say(host.path, hello), /^MCP-LINK\/1 .*"away".*"retryMs":5000/);
  const line = `${JSON.stringify(INITIALIZE)}\n`;
  const told = JSON.parse(await say(host.path, line)) as { error: { message: string; data: object } };
  assert.equal(told.error.message, 'it leaves');
  assert.deepEqual(told.error.data, { error: 'busy', retryAfterMs: 5000 });
  const post = `POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: ${line.length}\r\n\r\n${line}`;
  // The connection ends with the refusal, though nobody asked for that: the next one may lead to another process.
  assert.match(await say(host.path, post), /^HTTP\/1.1 503 /);
  assert.equal(host.sessions.length, 1);
  // Its connection is cut: the link is taken up again all the same.
  for (const socket of sockets.splice(0)) socket.destroy();
  link.send(requestMessage('7', 'ping', {}));
  while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(answers, ['7']);
  await link.close();
});

test('of callers of whom nothing is proven nobody is told what another one asked: no outcomes are kept for them', async () => {
  for (const [id, told, same] of [
    ['alice', 60, true],
    ['unproven', undefined, false],
  ] as const) {
    await using house = await door(() => ({ principal: { id, rank: 1 } }), false, { once: 60 });
    const hello = `MCP-LINK/1 ${JSON.stringify({ link: null, got: 0, session: SESSION, by: 'x/1' })}\n`;
    const first = await say(house.path, hello, /\n/);
    const welcome = JSON.parse(first.slice('MCP-LINK/1 '.length)) as { once?: number };
    assert.equal(welcome.once, told);
    assert.equal(house.sessions[0]?.session === SESSION, same);
  }
});
