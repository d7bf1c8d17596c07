import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { createRestClient, type RestClientOptions } from '../../src/controller/rest-client.ts';
import { ZitiError } from '../../src/errors.ts';
import { tlsOptions } from '../../src/identity.ts';
import { LIMITS } from '../../src/limits.ts';
import { createTestPki } from '../../src/testing/pki/pki.ts';
import { type HttpsController, type Reply, startHttpsController } from '../https-controller.ts';

function clientOf(server: HttpsController, options: Partial<RestClientOptions> = {}) {
  const client = createRestClient({ tls: tlsOptions(server.identity()), ...options });
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}

const refused = (code: string, says: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ZitiError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, says);
  return true;
};

test('our certificate is shown, headers and body go as they are, any status is an answer', async () => {
  await using server = await startHttpsController(() => ({ status: 606, headers: { location: '/x' }, body: { a: 1 } }));
  using client = clientOf(server);
  const body = { type: 'application/json', text: '{"ä":1}' };
  const answer = await client.send({
    method: 'POST',
    url: `${server.url}/a?b=c`,
    headers: { 'zt-session': 't' },
    body,
  });
  assert.equal(answer.status, 606);
  assert.deepEqual(JSON.parse(answer.body.toString()), { a: 1 });
  const [asked] = server.asked;
  assert.ok(asked);
  assert.equal(asked.client, 'id-1');
  assert.equal(`${asked.method} ${asked.path}`, 'POST /edge/client/v1/a?b=c');
  assert.deepEqual(
    [asked.headers['zt-session'], asked.headers['content-type'], asked.headers['content-length'], asked.headers.accept],
    ['t', 'application/json', '8', 'application/json'],
  );
  assert.equal(asked.body, '{"ä":1}');
});

test('redirects are answers, not roads', async () => {
  await using server = await startHttpsController(() => ({
    status: 302,
    headers: { location: 'https://127.0.0.1:1/' },
  }));
  using client = clientOf(server);
  assert.equal((await client.send({ method: 'GET', url: server.url })).status, 302);
  assert.equal(server.asked.length, 1);
});

test('one connection serves many requests, and one that the controller closed meanwhile costs nothing', async () => {
  await using server = await startHttpsController(() => ({ body: 'ok' }));
  using client = clientOf(server);
  for (let times = 0; times < 5; times += 1) await client.send({ method: 'GET', url: server.url });
  assert.equal(server.connections, 1);
  server.dropIdle();
  assert.equal((await client.send({ method: 'GET', url: server.url })).status, 200);
  assert.equal(server.connections, 2);
});

test('a request that was on its way over dying connections is sent again', async () => {
  let together = 0;
  let dying = false;
  const waiting: ((reply: Reply) => void)[] = [];
  await using server = await startHttpsController(() => {
    if (dying) {
      // As if the controller had closed each idle connection a moment before the request came.
      return together-- > 0 ? 'cut' : { body: 'ok' };
    }
    return new Promise<Reply>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === 3) for (const settle of waiting) settle({ body: 'ok' });
    });
  });
  using client = clientOf(server);
  await Promise.all([1, 2, 3].map(() => client.send({ method: 'GET', url: server.url })));
  assert.equal(server.connections, 3);
  [dying, together] = [true, 3];
  assert.equal((await client.send({ method: 'GET', url: server.url })).body.toString(), 'ok');
  assert.equal(server.connections, 4);
  // A new connection that dies is no stale one.
  together = 99;
  await assert.rejects(
    client.send({ method: 'GET', url: server.url }),
    refused('controller_unreachable', /ECONNRESET/),
  );
});

test('an answer that does not come, or does not end, is not waited for longer than allowed', async () => {
  await using server = await startHttpsController(() => 'hang');
  using client = clientOf(server, { timeoutMs: 60 });
  const late = refused('controller_timeout', /127\.0\.0\.1:\d+ did not answer within 0\.06 s/);
  await assert.rejects(client.send({ method: 'GET', url: server.url }), late);
  await assert.rejects(
    client.send({ method: 'GET', url: server.url, timeoutMs: 30 }),
    refused('controller_timeout', /0\.03 s/),
  );
});

test('an answer that is too large is cut off', async () => {
  const exact = Buffer.alloc(10_000);
  await using server = await startHttpsController(({ path }) => ({
    body: path.endsWith('/more')
      ? Buffer.alloc(10_001)
      : path.endsWith('/much')
        ? Buffer.alloc(LIMITS.answerBytes + 1)
        : exact,
  }));
  using client = clientOf(server, { maxAnswerBytes: 10_000 });
  assert.equal((await client.send({ method: 'GET', url: `${server.url}/exact` })).body.length, 10_000);
  const tooLarge = refused('controller_answer_too_large', /larger than 10000 bytes/);
  await assert.rejects(client.send({ method: 'GET', url: `${server.url}/more` }), tooLarge);
  using usual = clientOf(server);
  await assert.rejects(
    usual.send({ method: 'GET', url: `${server.url}/much` }),
    refused('controller_answer_too_large', /8388608/),
  );
});

test('a signal ends a request, before and while it is under way', async () => {
  await using server = await startHttpsController(() => 'hang');
  using client = clientOf(server);
  const stopped = refused('aborted', /stopped/);
  await assert.rejects(client.send({ method: 'GET', url: server.url, signal: AbortSignal.abort('x') }), stopped);
  const stop = new AbortController();
  const sent = client.send({ method: 'GET', url: server.url, signal: stop.signal });
  while (server.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await assert.rejects(sent, stopped);
  const reason = new ZitiError('controller_closed', 'closed');
  await assert.rejects(client.send({ method: 'GET', url: server.url, signal: AbortSignal.abort(reason) }), reason);
});

test('nobody there, no TLS there, a connection that is cut: unreachable, with the reason', async () => {
  await using server = await startHttpsController(() => 'cut');
  using client = clientOf(server);
  await assert.rejects(
    client.send({ method: 'GET', url: server.url }),
    refused('controller_unreachable', /ECONNRESET/),
  );
  const plain = createServer((socket) => socket.resume().end('220 mail\r\n')).listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const { port } = plain.address() as AddressInfo;
  const url = `https://127.0.0.1:${port}`;
  await assert.rejects(
    client.send({ method: 'GET', url }),
    refused('controller_unreachable', /127\.0\.0\.1:\d+ .*(SSL|EPROTO)/),
  );
  plain.close();
  await once(plain, 'close');
  await assert.rejects(client.send({ method: 'GET', url }), refused('controller_unreachable', /ECONNREFUSED/));
});

test('a certificate of another authority, for another name, or too old is not trusted', async () => {
  const pki = createTestPki();
  const old = pki.issue({ commonName: 'c', use: 'server', ip: ['127.0.0.1'], notAfter: new Date(Date.now() - 1000) });
  const cases = [
    [{ pki: createTestPki() }, /UNABLE_TO|SELF_SIGNED/],
    [{ pki, names: { dns: ['elsewhere'] } }, /ERR_TLS_CERT_ALTNAME_INVALID/],
    [{ pki, server: { key: old.keyPem ?? '', cert: old.chainPem } }, /CERT_HAS_EXPIRED/],
  ] as const;
  for (const [options, says] of cases) {
    await using server = await startHttpsController(() => ({ body: 'x' }), options);
    const identity = server.identity({ caPem: pki.rootPem + pki.intermediatePem });
    const client = createRestClient({ tls: tlsOptions(identity) });
    await assert.rejects(client.send({ method: 'GET', url: server.url }), refused('controller_untrusted', says));
    client.close();
    assert.equal(server.asked.length, 0);
  }
});

test('an intermediate alone is anchor enough, as it is for Go', async () => {
  await using server = await startHttpsController(() => ({ body: 'x' }));
  const client = createRestClient({ tls: tlsOptions(server.identity({ caPem: server.pki.intermediatePem })) });
  assert.equal((await client.send({ method: 'GET', url: server.url })).status, 200);
  client.close();
});

test('the way through somebody else is taken when there is one', async () => {
  await using server = await startHttpsController(() => ({ body: 'x' }));
  const targets: unknown[] = [];
  const { port } = new URL(server.url);
  let way: 'proxy' | 'direct' | 'broken' = 'proxy';
  const openSocket: RestClientOptions['openSocket'] = async (target) => {
    targets.push(target);
    if (way === 'broken') throw new ZitiError('controller_unreachable', 'the proxy says no');
    if (way === 'direct') return undefined;
    const socket = connect({ host: '127.0.0.1', port: Number(port) });
    await once(socket, 'connect');
    return socket;
  };
  using client = clientOf(server, { openSocket });
  assert.equal((await client.send({ method: 'GET', url: server.url })).status, 200);
  // The name is checked against the target, not against where the socket goes.
  await assert.rejects(
    client.send({ method: 'GET', url: `https://elsewhere.example:${port}/` }),
    refused('controller_untrusted', /ALTNAME/),
  );
  way = 'direct';
  assert.equal((await client.send({ method: 'GET', url: server.url.replace('127.0.0.1', 'localhost') })).status, 200);
  way = 'broken';
  await assert.rejects(
    client.send({ method: 'GET', url: 'https://x.example:1/' }),
    refused('controller_unreachable', /proxy says no/),
  );
  assert.deepEqual(targets.at(0), { host: '127.0.0.1', port: Number(port) });
  assert.deepEqual(targets.at(-1), { host: 'x.example', port: 1 });
});
