import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openChannel } from '../../src/channel/open-channel.ts';
import { connectThrough, exceptions, parseProxy, proxyFromEnvironment } from '../../src/channel/proxy.ts';
import { LIMITS } from '../../src/limits.ts';
import { startFakeProxy } from './fake-proxy.ts';
import { CA_PEM, IDENTITY, SERVER, startFakeRouter } from './fake-router.ts';

const TARGET = { host: 'router.test', port: 3022 };
const to = (port: number, credentials = '') => parseProxy(`http://${credentials}127.0.0.1:${port}`);

for (const underlay of ['tls', 'wss'] as const) {
  test(`${underlay}: a channel opens through the proxy of the environment, by name`, async () => {
    await using router = await startFakeRouter({ underlay });
    await using proxy = await startFakeProxy({ leadsTo: router.port, credentials: 'joe:p@ss word' });
    const env = { HTTPS_PROXY: `http://joe:p%40ss%20word@127.0.0.1:${proxy.port}` };
    const channel = await openChannel({
      url: `${underlay}:router.test:3022`,
      identity: IDENTITY,
      token: 't',
      timeoutMs: 5000,
      proxy: proxyFromEnvironment(env),
    });
    assert.match(proxy.requests[0] ?? '', /^CONNECT router\.test:3022 HTTP\/1\.1\r\nHost: router\.test:3022\r\n/);
    await channel.close();
  });

  test(`${underlay}: the name is checked behind a proxy, too`, async () => {
    await using router = await startFakeRouter({ underlay });
    await using proxy = await startFakeProxy({ leadsTo: router.port });
    const opening = openChannel({
      url: `${underlay}:other.test:3022`,
      identity: IDENTITY,
      token: 't',
      timeoutMs: 5000,
      proxy: proxyFromEnvironment({ https_proxy: `127.0.0.1:${proxy.port}` }),
    });
    await assert.rejects(opening, { code: 'router_untrusted' });
  });
}

test('bytes behind the head of the answer are kept', async () => {
  await using proxy = await startFakeProxy({ answer: (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nhello') });
  const socket = await connectThrough(to(proxy.port), TARGET);
  const [chunk] = await once(socket, 'data');
  assert.equal(String(chunk), 'hello');
  socket.destroy();
});

test('an answer that comes byte by byte is an answer', async () => {
  const slowly = async (socket: Socket): Promise<void> => {
    for (const byte of 'HTTP/1.0 200 OK\r\nX: y\r\n\r\nz') {
      socket.write(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await using proxy = await startFakeProxy({ answer: (socket) => void slowly(socket) });
  const socket = await connectThrough(to(proxy.port), TARGET);
  const [chunk] = await once(socket, 'data');
  assert.equal(String(chunk), 'z');
  socket.destroy();
});

test('refusals of a proxy have codes, say what it said, and never its password', async () => {
  const say = (text: string) => (socket: Socket) => void socket.end(text);
  for (const [answer, code, message] of [
    [say('HTTP/1.1 407 Who\r\n\r\n'), 'proxy_auth_required', /asks for another user name/],
    [
      say('HTTP/1.1 403 For\u0007bidden\r\n\r\n'),
      'proxy_refused',
      /does not connect to router\.test:3022: 403 For\?bidden$/,
    ],
    [say('HTTP/1.1 502\r\n\r\n'), 'proxy_refused', /: 502 $/],
    [say('SSH-2.0-OpenSSH\r\n\r\n'), 'proxy_refused', /not HTTP/],
    [say(''), 'proxy_refused', /without an answer/],
    [say(`HTTP/1.1 200 ${'x'.repeat(LIMITS.proxyHeadBytes)}`), 'proxy_refused', /more than 16384 bytes/],
    [say(`HTTP/1.1 200 ${'x'.repeat(LIMITS.proxyHeadBytes)}\r\n\r\n`), 'proxy_refused', /more than 16384 bytes/],
    [(socket: Socket) => void socket.resetAndDestroy(), 'proxy_unreachable', /broke/],
  ] as const) {
    await using proxy = await startFakeProxy({ answer });
    await assert.rejects(connectThrough(to(proxy.port, 'joe:geheim@'), TARGET), (error: Error & { code?: string }) => {
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.doesNotMatch(`${error.message} ${error.stack}`, /geheim|am9l/);
      return true;
    });
  }
});

test('the password is sent when the proxy has one, and only then', async () => {
  await using proxy = await startFakeProxy({ answer: (socket) => void socket.end('HTTP/1.1 500 x\r\n\r\n') });
  await assert.rejects(connectThrough(to(proxy.port), TARGET));
  await assert.rejects(connectThrough(to(proxy.port, 'joe@'), TARGET));
  const [none = '', some = ''] = proxy.requests;
  assert.doesNotMatch(none, /Authorization/);
  assert.ok(some.endsWith(`Proxy-Authorization: Basic ${Buffer.from('joe:').toString('base64')}`));
});

test('a proxy that is not there, and one that never answers', async () => {
  const gone = await startFakeProxy({ answer: undefined });
  await gone[Symbol.asyncDispose]();
  await assert.rejects(connectThrough(to(gone.port), TARGET), { code: 'proxy_unreachable', message: /ECONNREFUSED/ });
  await using silent = await startFakeProxy({ answer: undefined });
  const reason = new Error('enough');
  const stop = new AbortController();
  const connecting = connectThrough(to(silent.port), TARGET, stop.signal);
  setTimeout(() => stop.abort(reason), 30);
  await assert.rejects(connecting, reason);
});

test('a proxy behind TLS must be one that the runtime trusts', async () => {
  await using router = await startFakeRouter();
  await using proxy = await startFakeProxy({ leadsTo: router.port, tls: SERVER });
  const url = `https://localhost:${proxy.port}`;
  await assert.rejects(connectThrough(parseProxy(url), TARGET), { code: 'proxy_unreachable', message: /proxy/ });
  const folder = await mkdtemp(join(tmpdir(), 'ziti-proxy-'));
  const ca = join(folder, 'ca.pem');
  await writeFile(ca, CA_PEM);
  const script = `
    const { connectThrough, parseProxy } = await import('./packages/ziti/src/channel/proxy.ts');
    const { startTls } = await import('./packages/ziti/src/channel/tls-underlay.ts');
    const raw = await connectThrough(parseProxy('${url}'), { host: 'router.test', port: 3022 });
    const signal = AbortSignal.timeout(5000);
    const socket = await startTls(raw, { host: 'router.test', port: 3022 }, {}, { signal, peer: 'router' });
    console.log(socket.authorized);
    process.exit();`;
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: ca },
    cwd: new URL('../../../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = await once(child.stdout, 'data');
  assert.equal(String(said), 'true\n');
  await rm(folder, { recursive: true });
});

test('addresses of proxies as people write them', () => {
  const shape = (text: string): unknown => {
    const { host, port, secure, credentials } = parseProxy(text);
    return [host, port, secure, credentials];
  };
  assert.deepEqual(shape('proxy.test:3128'), ['proxy.test', 3128, false, undefined]);
  assert.deepEqual(shape('http://proxy.test'), ['proxy.test', 80, false, undefined]);
  assert.deepEqual(shape('https://proxy.test/'), ['proxy.test', 443, true, undefined]);
  assert.deepEqual(shape('http://u:p%3A%25@[::1]:8080'), ['::1', 8080, false, 'u:p:%']);
  assert.deepEqual(shape('http://u:50%25%zz@h:1'), ['h', 1, false, 'u:50%25%zz']);
  for (const wrong of ['socks5://h:1080', 'http://', 'ftp://h', 'http://h:99999', '::::']) {
    assert.throws(() => parseProxy(wrong), { code: 'proxy_invalid' });
  }
  assert.throws(
    () => proxyFromEnvironment({ HTTPS_PROXY: 'http://u:geheim@h:port' }),
    (error: Error) => !`${error.message}${error.stack}`.includes('geheim'),
  );
});

test('without HTTPS_PROXY there is no proxy', () => {
  for (const env of [{}, { HTTPS_PROXY: '' }, { HTTP_PROXY: 'http://h:1' }, { HTTPS_PROXY: ' ' }]) {
    assert.equal(proxyFromEnvironment(env), undefined);
  }
});

test('NO_PROXY names who is reached directly, as Go reads it', () => {
  const direct = (list: string, host: string, port = 443): boolean => exceptions(list)({ host, port });
  for (const [list, host, expected] of [
    ['', 'example.com', false],
    ['*', 'example.com', true],
    ['example.com', 'example.com', true],
    ['example.com', 'EXAMPLE.com.', true],
    ['example.com', 'a.b.example.com', true],
    ['example.com', 'badexample.com', false],
    ['.example.com', 'a.example.com', true],
    ['.example.com', 'example.com', false],
    ['*.example.com', 'a.example.com', true],
    ['a.test, Example.com ,b.test', 'example.com', true],
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.0.0.0/99', '10.1.2.3', false],
    ['2001:db8::/32', '2001:db8::1', true],
    ['2001:db8::1', '2001:db8::1', true],
    ['[2001:db8::1]', '2001:db8::1', true],
    ['', 'localhost', true],
    ['', '127.0.0.1', true],
    ['', '127.255.0.1', true],
    ['', '::1', true],
    [',,', 'example.com', false],
  ] as const) {
    assert.equal(direct(list, host), expected, `${list} / ${host}`);
  }
  assert.equal(direct('example.com:8443', 'example.com', 8443), true);
  assert.equal(direct('example.com:8443', 'example.com', 443), false);
  assert.equal(direct('.example.com:8443', 'a.example.com', 8443), true);
});

test('an exception is reached without the proxy', async () => {
  const open = proxyFromEnvironment({ HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: 'router.test' });
  assert.equal(await open?.(TARGET), undefined);
  await assert.rejects(async () => open?.({ host: 'other.test', port: 1 }), { code: 'proxy_unreachable' });
});
