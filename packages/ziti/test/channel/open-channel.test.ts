import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer, Socket } from 'node:net';
import { test } from 'node:test';
import { Headers } from '../../src/channel/headers.ts';
import { encodeMessage } from '../../src/channel/message.ts';
import { type OpenChannelOptions, openChannel } from '../../src/channel/open-channel.ts';
import { LIMITS } from '../../src/limits.ts';
import { createTestPki } from '../../src/testing/pki/pki.ts';
import {
  CA_PEM,
  type FakeRouterOptions,
  IDENTITY,
  issue,
  type RouterEnd,
  SERVER,
  startFakeRouter,
} from './fake-router.ts';

const open = (url: string, options: Partial<OpenChannelOptions> = {}) =>
  openChannel({ url, identity: IDENTITY, token: 'the-token', timeoutMs: 5000, ...options });

for (const underlay of ['tls', 'wss'] as const) {
  test(`${underlay}: a channel opens with our certificate, our token and a unique Hello`, async () => {
    await using router = await startFakeRouter({ underlay });
    const bodies = new Set<string>();
    for (let count = 0; count < 2; count += 1) {
      const channel = await open(router.url);
      const end = await router.end();
      const hello = await end.message(0);
      assert.equal(hello.headers.string(1002), 'the-token');
      bodies.add(Buffer.from(hello.body).toString());
      assert.equal(end.socket.getPeerCertificate().subject.CN, 'client');
      assert.equal(end.socket.alpnProtocol || undefined, underlay === 'tls' ? 'ziti-edge' : undefined);
      assert.deepEqual([channel.url, channel.routerId], [router.url, 'fake']);
      assert.deepEqual(channel.routerVersion, { major: 1, minor: 6, patch: 0 });
      assert.equal(channel.headers.string(0), 'abcd');
      await channel.close();
    }
    assert.equal(bodies.size, 2);
  });

  test(`${underlay}: large messages cross both ways`, async () => {
    await using router = await startFakeRouter({ underlay });
    const channel = await open(router.url);
    const end = await router.end();
    const body = Buffer.alloc(3_000_000, 'abcdefg');
    channel.send(60786, new Headers().setU32(1000, 1), body);
    assert.ok(Buffer.from((await end.message(60786)).body).equals(body));
    const arrived = new Promise<Uint8Array>((resolve) => {
      channel.onMessage = (message) => resolve(message.body);
    });
    end.send(60786, new Headers().setU32(1000, 1), body);
    assert.ok(Buffer.from(await arrived).equals(body));
    await channel.close();
  });

  test(`${underlay}: a router of another network, and one of another name, are not trusted`, async () => {
    const stranger = createTestPki().issue({ commonName: 'router', use: 'server', ip: ['127.0.0.1'] });
    const misnamed = issue({ commonName: 'router', use: 'server', dns: ['localhost'], ip: ['127.0.0.2'] });
    for (const { chainPem, keyPem } of [stranger, misnamed]) {
      await using router = await startFakeRouter({ underlay, tls: { cert: chainPem, key: keyPem ?? '' } });
      await assert.rejects(open(router.url), { code: 'router_untrusted', message: /^edge router (tls|wss):127/ });
      assert.equal(router.ends.filter((end) => end.received.length > 0).length, 0, 'a token was sent');
    }
  });

  test(`${underlay}: a bundle with the intermediate alone is enough`, async () => {
    await using router = await startFakeRouter({ underlay });
    const [, intermediate = ''] = CA_PEM.split(/(?<=-----END CERTIFICATE-----\n)/);
    const channel = await open(router.url, { identity: { ...IDENTITY, caPem: intermediate } });
    await channel.close();
  });

  test(`${underlay}: a silent router costs the time limit, an impatient caller less, and nothing stays open`, async () => {
    for (const options of [{ hello: 'silent' }, { raw: () => {} }] satisfies FakeRouterOptions[]) {
      await using router = await startFakeRouter({ underlay, ...options });
      const late = { code: 'router_timeout', message: /within 300 ms \(waiting for the answer to our Hello\)/ };
      await assert.rejects(open(router.url, { timeoutMs: 300 }), late);
      const stop = new AbortController();
      const opening = open(router.url, { signal: stop.signal });
      setTimeout(() => stop.abort(), 50);
      await assert.rejects(opening, { code: 'aborted' });
      for (const { socket } of router.ends) {
        // Not `once` of node:events, which takes a reset for a failure.
        if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
      }
    }
  });

  test(`${underlay}: refusals keep their class`, async () => {
    for (const [reject, code] of [
      [0, 'router_refused'],
      [1, 'router_busy'],
      [2, 'router_not_permitted'],
    ] as const) {
      const headers = new Headers().setI32(1, -1).setBool(2, false).setI32(13, reject);
      await using router = await startFakeRouter({
        underlay,
        hello: (end) => end.socket.write(encodeMessage(2, -1, headers, Buffer.from('no'))),
      });
      await assert.rejects(open(router.url), { code, message: /refused the channel: no$/ });
    }
  });

  test(`${underlay}: what is no answer to a Hello is refused with a code`, async () => {
    for (const [answer, code] of [
      [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'frame_bad_magic'],
      [Buffer.from('0306090a0200000001000000', 'hex'), 'frame_version_unknown'],
      [encodeMessage(60784, 1, new Headers(), Buffer.alloc(0)), 'hello_invalid'],
      [encodeMessage(2, -1, new Headers(), Buffer.alloc(70_000)), 'frame_too_large'],
    ] as const) {
      await using router = await startFakeRouter({ underlay, hello: (end) => end.socket.write(answer) });
      await assert.rejects(open(router.url), { code });
    }
    await using closing = await startFakeRouter({ underlay, hello: (end) => end.socket.end() });
    await assert.rejects(open(closing.url), { code: 'router_refused' });
  });

  test(`${underlay}: nobody listening is unreachable`, async () => {
    const router = await startFakeRouter({ underlay });
    await router[Symbol.asyncDispose]();
    await assert.rejects(open(router.url), { code: 'router_unreachable', message: /ECONNREFUSED/ });
  });
}

test('the outer connection of a WebSocket must be trusted, too', async () => {
  const { chainPem, keyPem } = createTestPki().issue({ commonName: 'router', use: 'server', ip: ['127.0.0.1'] });
  await using router = await startFakeRouter({ underlay: 'wss', outerTls: { cert: chainPem, key: keyPem ?? '' } });
  await assert.rejects(open(router.url), { code: 'router_untrusted' });
});

test('a router without our ALPN is asked again without', async () => {
  await using router = await startFakeRouter({ tls: { ALPNProtocols: ['h2'] } });
  const channel = await open(router.url);
  const end = await router.end();
  assert.equal(end.socket.alpnProtocol, false);
  await channel.close();
});

test('a server name is sent for names, none for addresses', async () => {
  const names: (string | false | null)[] = [];
  const hello = (end: RouterEnd): void => {
    names.push(end.socket.servername);
    end.welcome();
  };
  await using router = await startFakeRouter({ hello });
  await (await open(router.url)).close();
  await (await open(`tls:localhost:${router.port}`)).close();
  assert.deepEqual(names, [false, 'localhost']);
});

test('a router that closes when it has seen our certificate is an error, not a wait', async () => {
  const day = 86_400_000;
  const old = issue({
    commonName: 'client',
    use: 'client',
    notBefore: new Date(Date.now() - 2 * day),
    notAfter: new Date(Date.now() - day),
  });
  const identity = { ...IDENTITY, certPem: old.chainPem, keyPem: old.keyPem ?? '' };
  for (const underlay of ['tls', 'wss'] as const) {
    await using router = await startFakeRouter({ underlay, tls: { ca: CA_PEM, rejectUnauthorized: true } });
    await assert.rejects(open(router.url, { identity }), (error: Error & { code?: string }) => {
      return ['router_not_permitted', 'router_refused', 'router_unreachable'].includes(error.code ?? '');
    });
  }
});

test('an identity that is no use for TLS is told before anything is opened', async () => {
  await using router = await startFakeRouter();
  const identity = { ...IDENTITY, keyPem: 'nonsense' };
  await assert.rejects(open(router.url, { identity }), { code: 'identity_invalid' });
  await assert.rejects(open(router.url.replace('tls', 'wss'), { identity }), { code: 'identity_invalid' });
  assert.equal(router.ends.length, 0);
});

test('plain TCP that never answers a handshake costs the time limit', async () => {
  const listener = createTcpServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  for (const scheme of ['tls', 'wss']) {
    const late = { code: 'router_timeout', message: /\(connecting\)/ };
    await assert.rejects(open(`${scheme}:127.0.0.1:${port}`, { timeoutMs: 100 }), late);
  }
  listener.close();
  await once(listener, 'close');
});

test('a web server at a wss address is told as one', async () => {
  const web = createHttpsServer(SERVER, (_request, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
  await once(web, 'listening');
  const { port } = web.address() as { port: number };
  await assert.rejects(open(`wss:127.0.0.1:${port}`), { code: 'router_refused', message: /HTTP 404/ });
  web.close();
  await once(web, 'close');
});

test('a WebSocket message over the cap ends the channel with its own code', async () => {
  await using router = await startFakeRouter({ underlay: 'wss' });
  const channel = await open(router.url);
  channel.onMessage = () => {};
  const end = await router.end();
  end.oversized(LIMITS.wsMessageBytes + 1);
  const { by, error } = await channel.closed;
  assert.deepEqual([by, error.code], ['fault', 'ws_message_too_large']);
});

test('another way to open sockets that fails, hangs or comes too late is no worse than a bad network', async () => {
  const failing = async (): Promise<undefined> => {
    throw new Error('no way');
  };
  const url = 'tls:router.test:3022';
  await assert.rejects(open(url, { proxy: failing }), { code: 'router_unreachable', message: /no way$/ });
  const late = new Socket();
  let give: (socket: Socket) => void = () => {};
  const hanging = (): Promise<Socket> => new Promise((resolve) => (give = resolve));
  await assert.rejects(open(url, { proxy: hanging, timeoutMs: 20 }), { code: 'router_timeout' });
  give(late);
  await once(late, 'close');
});

test('no error repeats the token', async () => {
  await using router = await startFakeRouter({
    hello: (end, hello) => end.socket.write(hello.headers.bytes(1002) ?? ''),
  });
  await assert.rejects(open(router.url, { token: 'SECRET-TOKEN-123456789012345' }), (error: Error) => {
    return !/SECRET/.test(`${error.message} ${error.stack} ${JSON.stringify(error)}`);
  });
});
