// Faults of a test network do what they say, to those they are meant for, and end when they are taken back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  startTestNetwork,
  type TestChannel,
  type TestIdentity,
  type TestNetwork,
  type TestNetworkOptions,
} from '../../src/testing/index.ts';
import { FULL_BYTES } from '../../src/testing/router/outbox.ts';
import { ask } from './ask.ts';
import { H, join, type RawClient, T } from './raw-client.ts';

const timeout = 30_000;

test('frames are dropped as long as somebody says so', { timeout }, async () => {
  await using rig = await network();
  const {
    dialer,
    host,
    router,
    pairs: [pair],
  } = rig;
  router.faults.drop(({ type, body }) => type === T.data && body.includes('lost'));
  for (const text of ['one', 'lost', 'two']) dialer.data(pair.near, text);
  assert.deepEqual([String((await host.take(T.data)).body), String((await host.take(T.data)).body)], ['one', 'two']);
  router.faults.clear();
  dialer.data(pair.near, 'not lost');
  assert.equal(String((await host.take(T.data)).body), 'not lost');
});

test('a delay holds frames to a client, and keeps their order', { timeout }, async () => {
  await using rig = await network();
  const {
    dialer,
    host,
    pairs: [pair],
  } = rig;
  channelOf(rig, 'host').faults.delay(80);
  const from = performance.now();
  for (const text of ['a', 'b', 'c']) dialer.data(pair.near, text);
  const got = [await host.take(T.data), await host.take(T.data), await host.take(T.data)];
  assert.ok(performance.now() - from >= 75);
  assert.equal(got.map(({ body }) => String(body)).join(''), 'abc');
  dialer.send(T.ping);
  await dialer.take(T.result);
});

test('reordering mixes connections, and leaves each of them in order', { timeout }, async () => {
  await using rig = await network({}, 4);
  const { dialer, host, router, pairs } = rig;
  router.faults.reorder(true);
  const sent: string[] = [];
  for (let count = 0; count < 25; count += 1) {
    for (const { near, far } of pairs) {
      dialer.data(near, `${far}/${count}`);
      sent.push(`${far}/${count}`);
    }
  }
  const got: string[] = [];
  while (got.length < sent.length) got.push(String((await host.take(T.data)).body));
  assert.notDeepEqual(got, sent);
  for (const { far } of pairs) {
    const own = (list: string[]) => list.filter((text) => text.startsWith(`${far}/`));
    assert.deepEqual(own(got), own(sent));
  }
});

for (const shape of [{ splitBytes: 1 }, { splitBytes: 20 }, { joinMs: 15 }, { splitBytes: 7, joinMs: 5 }]) {
  test(`frames arrive whole when their bytes are written as ${JSON.stringify(shape)}`, { timeout }, async () => {
    await using rig = await network();
    const {
      dialer,
      host,
      router,
      pairs: [pair],
    } = rig;
    router.faults.writes(shape);
    let writes = 0;
    host.socket.on('data', () => {
      writes += 1;
    });
    for (let count = 0; count < 20; count += 1) dialer.data(pair.near, `number ${count}`);
    for (let count = 0; count < 20; count += 1) assert.equal(String((await host.take(T.data)).body), `number ${count}`);
    if (shape.joinMs === undefined) assert.ok(writes > 20 * (40 / shape.splitBytes), `${writes} pieces`);
    else if (shape.splitBytes === undefined) assert.ok(writes < 20, `${writes} pieces`);
  });
}

test('a half-open router keeps sockets, reads nothing, says nothing, and goes on afterwards', { timeout }, async () => {
  await using rig = await network();
  const {
    dialer,
    host,
    router,
    pairs: [pair],
  } = rig;
  router.faults.halfOpen(true);
  dialer.data(pair.near, 'kept');
  dialer.send(T.ping);
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.deepEqual([dialer.frames, host.frames, dialer.socket.destroyed], [[], [], false]);
  router.faults.halfOpen(false);
  assert.equal(String((await host.take(T.data)).body), 'kept');
  await dialer.take(T.result);
});

test('a host that does not read stops its dialer, and nothing is lost when it reads again', { timeout }, async () => {
  await using rig = await network();
  const {
    dialer,
    host,
    pairs: [pair],
  } = rig;
  host.socket.pause();
  const piece = Buffer.alloc(64 * 1024, 1);
  const count = 200;
  for (let sent = 0; sent < count; sent += 1) dialer.data(pair.near, piece);
  await rig.net.until(() => true);
  // Socket buffers take some; what is left waits at the dialer, because the router does not read it.
  await standsStill(() => dialer.socket.writableLength);
  assert.ok(dialer.socket.writableLength > 0, 'the dialer got rid of everything');
  assert.ok(channelOf(rig, 'host').queuedBytes < FULL_BYTES + 2 * piece.length);
  host.socket.resume();
  for (let got = 0; got < count; got += 1) assert.ok((await host.take(T.data)).body.equals(piece));
});

test('a slow channel is as slow as was asked, with the same back-pressure', { timeout }, async () => {
  await using rig = await network();
  const {
    dialer,
    host,
    pairs: [pair],
  } = rig;
  channelOf(rig, 'host').faults.slow(1_000_000);
  const from = performance.now();
  const piece = Buffer.alloc(10_000);
  for (let sent = 0; sent < 40; sent += 1) dialer.data(pair.near, piece);
  for (let got = 0; got < 40; got += 1) await host.take(T.data);
  const tookMs = performance.now() - from;
  assert.ok(tookMs > 300, `400 kB in ${tookMs} ms`);
});

test('dials to a host whose channel is full fail after their time, like those to a silent one', {
  timeout,
}, async () => {
  await using rig = await network({ timing: { dialMs: 500 } });
  const {
    dialer,
    host,
    pairs: [pair],
  } = rig;
  dialer.connect(rig.session);
  const silent = String((await dialer.take(T.stateClosed)).body);
  assert.match(
    silent,
    /^exceeded maximum \[2\] retries .* timeout waiting for message reply: context deadline exceeded\)\)$/,
  );
  channelOf(rig, 'host').faults.halfOpen(true);
  for (let sent = 0; sent < 40; sent += 1) dialer.data(pair.near, Buffer.alloc(64 * 1024));
  await rig.net.until(() => true);
  await standsStill(() => channelOf(rig, 'host').queuedBytes);
  // The full channel stops this one, so another one dials.
  await using other = await join(rig.net, rig.identity);
  other.connect(await other.serviceSession(rig.service, 'Dial'));
  assert.match(String((await other.take(T.stateClosed)).body), /timeout waiting to put message in send queue/);
  assert.equal(host.socket.destroyed, false);
});

test('dials are refused, or heard by nobody, at the router', { timeout }, async () => {
  await using rig = await network();
  const { dialer, router } = rig;
  router.setDialRule({ refuse: 'not today' });
  dialer.connect(rig.session);
  assert.equal(String((await dialer.take(T.stateClosed)).body), 'not today');
  router.setDialRule('silent');
  dialer.connect(rig.session);
  dialer.send(T.ping);
  assert.equal((await dialer.next())?.type, T.result);
});

test('channels are cut, reset, and told any frame or bytes', { timeout }, async () => {
  await using rig = await network();
  const {
    dialer,
    host,
    pairs: [pair],
  } = rig;
  const channel = channelOf(rig, 'host');
  channel.send(T.inspectRequest, { 1031: Buffer.of(0, 0, 0, 0) });
  assert.equal((await host.take(T.inspectRequest)).body.length, 0);
  host.send(T.traceRoute, { [H.connId]: pair.far, [H.hopCount]: 4, [H.timestamp]: 5n });
  const trace = await dialer.take(T.traceRoute);
  assert.equal(trace.headers.get(H.hopCount)?.readUInt32LE(), 1);
  dialer.send(T.traceRouteResponse, {
    [H.connId]: pair.near,
    [H.hopCount]: 0,
    [H.hopType]: 'sdk/test',
    [H.sourceRequestId]: trace.headers.get(H.sourceRequestId) as Buffer,
  });
  assert.equal((await host.take(T.traceRouteResponse)).headers.get(H.hopType)?.toString(), 'sdk/test');
  const errors: string[] = [];
  host.socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? error.message));
  channel.reset();
  await host.ended();
  assert.deepEqual(errors, ['ECONNRESET']);
  assert.equal(String((await dialer.take(T.stateClosed)).body), 'close called');
  channelOf(rig, 'dialer').cut();
  await dialer.ended();
});

test('a router that is listed as off line is named without addresses', { timeout }, async () => {
  await using rig = await network();
  const listed = async () => {
    const { body } = await ask(rig.net, 'GET', '/current-identity/edge-routers', {
      as: rig.identity,
      session: rig.dialer.token,
    });
    const [router] = body.data;
    return [router.isOnline, Object.keys(router.supportedProtocols)];
  };
  assert.deepEqual(await listed(), [true, ['tls']]);
  rig.router.setListedOnline(false);
  assert.deepEqual(await listed(), [false, []]);
  rig.router.setListedOnline(true);
  await rig.router.kill();
  assert.deepEqual(await listed(), [false, []]);
});

interface Pair {
  readonly near: number;
  readonly far: number;
}

interface Rig extends AsyncDisposable {
  readonly net: TestNetwork;
  readonly router: TestNetwork['routers'][number];
  readonly dialer: RawClient;
  readonly host: RawClient;
  readonly identity: TestIdentity;
  readonly service: { readonly id: string };
  /** The dialer's service session. */
  readonly session: string;
  readonly pairs: readonly [Pair, ...Pair[]];
}

/** A host, a dialer, and connections between them. */
async function network(options: TestNetworkOptions = {}, connections = 1): Promise<Rig> {
  const net = await startTestNetwork(options);
  const service = net.addService('echo', { encryption: false });
  const identity = net.addIdentity('dialer');
  const host = await join(net, net.addIdentity('host'));
  const dialer = await join(net, identity);
  await host.bind(await host.serviceSession(service, 'Bind'));
  const session = await dialer.serviceSession(service, 'Dial');
  const pairs: Pair[] = [];
  while (pairs.length < connections) {
    const near = dialer.connect(session);
    const far = await host.accept();
    await dialer.take(T.stateConnected);
    pairs.push({ near, far });
  }
  host.frames.length = 0;
  const [router] = net.routers;
  const [first, ...others] = pairs;
  if (!router || !first) throw new Error('nothing to test with');
  const close = async (): Promise<void> => {
    await Promise.all([host[Symbol.asyncDispose](), dialer[Symbol.asyncDispose]()]);
    await net.close();
  };
  return {
    net,
    router,
    dialer,
    host,
    identity,
    service,
    session,
    pairs: [first, ...others],
    [Symbol.asyncDispose]: close,
  };
}

function channelOf({ router }: Rig, identity: string): TestChannel {
  const found = router.channels.find((channel) => channel.identity === identity);
  assert.ok(found);
  return found;
}

/** A number that does not change for a while has settled. */
async function standsStill(read: () => number): Promise<void> {
  let last = Number.NaN;
  for (let same = 0; same < 20; ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    same = read() === last ? same + 1 : 0;
    last = read();
  }
}
