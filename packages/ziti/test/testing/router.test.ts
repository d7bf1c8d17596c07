// The edge routers of a test network beyond what recordings show: several of them, both underlays, choices, ends and restarts.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import {
  createTestPki,
  startTestNetwork,
  type TestIdentity,
  type TestNetwork,
  type TestNetworkOptions,
} from '../../src/testing/index.ts';
import { logIn } from './ask.ts';
import { oidcLogin, refresh } from './oidc-flow.ts';
import { H, join, type RawClient, T } from './raw-client.ts';

const timeout = 30_000;
const PLAIN = { encryption: false } as const;

for (const underlay of ['tls', 'wss'] as const) {
  test(`a host and a dialer talk over ${underlay}, in both directions and behind a half close`, {
    timeout,
  }, async () => {
    await using rig = await network({ wss: true });
    await using host = await join(rig.net, rig.host, { underlay });
    await using dialer = await join(rig.net, rig.dialer, { underlay });
    const { near, far } = await circuit(rig, dialer, host);
    dialer.data(near, 'question');
    dialer.send(T.data, { [H.connId]: near, [H.flags]: 1 });
    assert.equal(String((await host.take(T.data)).body), 'question');
    assert.equal((await host.take(T.data)).headers.get(H.flags)?.readUInt32LE(), 1);
    host.data(far, 'answer');
    assert.equal(String((await dialer.take(T.data)).body), 'answer');
    host.send(T.stateClosed, { [H.connId]: far }, 'the reason stays here');
    assert.equal(String((await dialer.take(T.stateClosed)).body), 'close called');
    await rig.net.until(() => rig.net.circuits.length === 0);
    assert.deepEqual(
      rig.net.routers[0]?.channels.map((channel) => channel.underlay),
      [underlay, underlay],
    );
  });
}

test('a wss address is the only one if so wished, and lets in nobody of another authority', { timeout }, async () => {
  await using rig = await network({ wssOnly: true });
  assert.deepEqual(Object.keys(rig.net.routers[0]?.urls ?? {}), ['wss']);
  const { chainPem: certPem, keyPem = '' } = createTestPki().issue({ commonName: 'stranger', use: 'client' });
  const token = await logIn(rig.net, rig.host);
  await assert.rejects(join(rig.net, { ...rig.host, certPem, keyPem }, { underlay: 'wss', token }), /ended before/);
  await using host = await join(rig.net, rig.host, { underlay: 'wss', token });
  assert.equal(host.frames.length, 0);
});

test('a circuit goes over two routers, and ends at both when one is killed', { timeout }, async () => {
  await using rig = await network({ routers: 2 });
  const [first, second] = rig.net.routers;
  await using host = await join(rig.net, rig.host, { router: first });
  await using dialer = await join(rig.net, rig.dialer, { router: second });
  const { near } = await circuit(rig, dialer, host);
  dialer.data(near, 'over the link');
  assert.equal(String((await host.take(T.data)).body), 'over the link');
  const [made] = rig.net.circuits;
  assert.deepEqual([made?.dialerRouter, made?.hostRouter], ['router-2', 'router-1']);
  await first?.kill();
  await host.ended();
  assert.equal(String((await dialer.take(T.stateClosed)).body), 'close called');
  assert.deepEqual([rig.net.circuits, rig.net.terminators], [[], []]);
});

test('a killed router refuses connections, and starts again on its port', { timeout }, async () => {
  await using rig = await network({ wss: true });
  const [router] = rig.net.routers;
  const urls = router?.urls;
  await using host = await join(rig.net, rig.host);
  await router?.kill();
  await host.ended();
  for (const url of Object.values(urls ?? {})) await assert.rejects(tcp(url), { code: 'ECONNREFUSED' });
  await router?.start();
  assert.deepEqual(router?.urls, urls);
  await using again = await join(rig.net, rig.host, { token: host.token });
  assert.ok(await again.bind(await again.serviceSession(rig.service, 'Bind')));
});

test('of several hosts the cheapest is dialled: precedence, cost, use, distance', { timeout }, async () => {
  await using rig = await network({ routers: 2 });
  const [near, far] = rig.net.routers;
  await using dialer = await join(rig.net, rig.dialer, { router: near });
  await using one = await join(rig.net, rig.host, { router: near });
  await using two = await join(rig.net, rig.host, { router: far });
  const session = await dialer.serviceSession(rig.service, 'Dial');
  const oneToken = await one.serviceSession(rig.service, 'Bind');
  const bind = await one.bind(oneToken, { [H.cost]: Buffer.of(2, 0) });
  await two.bind(await two.serviceSession(rig.service, 'Bind'));
  const dialled: string[] = [];
  void one.acceptAll(() => dialled.push('one'));
  void two.acceptAll(() => dialled.push('two'));
  const chosen = async (): Promise<string | undefined> => {
    dialer.connect(session);
    await dialer.take(T.stateConnected);
    return dialled.at(-1);
  };
  // Cost 2 against the link's 1; then the circuit's 2 more.
  assert.deepEqual([await chosen(), await chosen(), await chosen()], ['two', 'one', 'two']);
  one.send(T.updateBind, { [H.connId]: bind, [H.precedence]: Buffer.of(1) }, oneToken);
  await rig.net.until(() => rig.net.terminators.some(({ precedence }) => precedence === 1));
  assert.deepEqual([await chosen(), await chosen(), await chosen()], ['one', 'one', 'one']);
  one.send(T.updateBind, { [H.connId]: bind, [H.precedence]: Buffer.of(2), [H.cost]: Buffer.of(0, 0) }, oneToken);
  await rig.net.until(() => rig.net.terminators.some(({ precedence }) => precedence === 2));
  assert.equal(await chosen(), 'two');
});

test('an instance name belongs to one identity', { timeout }, async () => {
  await using rig = await network();
  await using host = await join(rig.net, rig.host);
  await using other = await join(rig.net, rig.dialer);
  await host.bind(await host.serviceSession(rig.service, 'Bind'), { [H.instance]: 'mine' });
  const bound = other.bind(await other.serviceSession(rig.service, 'Bind'), { [H.instance]: 'mine' });
  bound.catch(() => {});
  assert.match(String((await other.take(T.stateClosed)).body), /^sibling terminator .* belongs to different identity$/);
  assert.deepEqual(
    rig.net.terminators.map(({ instance }) => instance),
    ['mine'],
  );
});

for (const [version, expected, other] of [
  ['v1.6.0', T.inspectResponse, T.connInspectResponse],
  ['v1.6.20', T.connInspectResponse, T.inspectResponse],
  ['v2.0.3', T.connInspectResponse, T.inspectResponse],
] as const) {
  test(`a router of ${version} asks a host about its bind and counts one kind of answer`, { timeout }, async () => {
    await using rig = await network({ version });
    await using host = await join(rig.net, rig.host);
    const token = await host.serviceSession(rig.service, 'Bind');
    const headers = { [H.listenerId]: 'the same', [H.supportsInspect]: true };
    await host.bind(token, headers);
    // From 2.0 on at every bind, before that after a take-over.
    const connId = version === 'v2.0.3' ? 1 : await host.bind(token, headers);
    const question = await host.take(T.connInspectRequest);
    const says = { [H.replyFor]: question.sequence, [H.connId]: connId, [H.connType]: Buffer.of(0) };
    host.send(other, says);
    host.send(T.ping);
    await host.take(T.result);
    assert.equal(rig.net.terminators.length, 1, 'an answer of the other kind changes nothing');
    await using second = await join(rig.net, rig.host);
    await second.bind(token, headers);
    const again = await second.take(T.connInspectRequest);
    second.send(expected, { [H.replyFor]: again.sequence, [H.connId]: 1, [H.connType]: Buffer.of(0) });
    await rig.net.until(() => rig.net.terminators.length === 0);
  });
}

test('routers from 2.0 on say who dials, and number their refusals', { timeout }, async () => {
  await using rig = await network({ version: 'v2.0.3' });
  await using host = await join(rig.net, rig.host);
  await using dialer = await join(rig.net, rig.dialer);
  dialer.connect('00000000-0000-0000-0000-000000000000');
  assert.equal((await dialer.take(T.stateClosed)).headers.get(H.errorCode)?.readUInt32LE(), 3);
  await host.bind(await host.serviceSession(rig.service, 'Bind'));
  dialer.connect(await dialer.serviceSession(rig.service, 'Dial'), { [H.callerId]: 'somebody else' });
  const dial = await host.take(T.dial);
  assert.equal(dial.headers.get(H.dialerName)?.toString(), 'dialer');
  assert.equal(dial.headers.get(H.callerId)?.toString(), 'somebody else');
});

test('an OIDC token that has expired stops new dials, and a new one on the channel lets them through', {
  timeout,
}, async () => {
  await using rig = await network({ login: 'oidc', timing: { accessTokenMs: 2_000 } });
  const tokens = await oidcLogin(rig.net, rig.dialer);
  await using dialer = await join(rig.net, rig.dialer, { token: tokens.access_token });
  const session = await dialer.serviceSession(rig.service, 'Dial');
  const texts: string[] = [];
  // Asked until it is so: the end of the second decides.
  while (texts.at(-1) !== 'token has invalid claims: token is expired') {
    dialer.connect(session);
    texts.push(String((await dialer.take(T.stateClosed)).body));
  }
  assert.match(texts[0] ?? '', /has no terminators$/);
  dialer.send(T.updateToken, {}, (await refresh(rig.net, rig.dialer, tokens.refresh_token)).body.access_token);
  await dialer.take(T.updateTokenSuccess);
  dialer.connect(session);
  assert.match(String((await dialer.take(T.stateClosed)).body), /has no terminators$/);
});

test('dials wait for a controller, and binds do', { timeout }, async () => {
  await using rig = await network();
  await using host = await join(rig.net, rig.host);
  await using dialer = await join(rig.net, rig.dialer);
  const [hosting, dialling] = [
    await host.serviceSession(rig.service, 'Bind'),
    await dialer.serviceSession(rig.service, 'Dial'),
  ];
  const [controller] = rig.net.controllers;
  await controller?.stop();
  const bound = host.bind(hosting);
  await host.take(T.stateConnected);
  assert.deepEqual(rig.net.terminators, []);
  await controller?.start();
  await bound;
  await controller?.stop();
  dialer.connect(dialling);
  dialer.send(T.ping);
  await dialer.take(T.result);
  assert.deepEqual(host.frames, []);
  await controller?.start();
  await host.accept();
  await dialer.take(T.stateConnected);
});

test('what ends a session ends what lives by it', { timeout }, async () => {
  await using rig = await network();
  await using host = await join(rig.net, rig.host);
  await using dialer = await join(rig.net, rig.dialer);
  const session = await dialer.serviceSession(rig.service, 'Dial');
  await circuit(rig, dialer, host);
  rig.net.deleteServiceSessions({ identity: 'dialer', type: 'Dial' });
  assert.equal(String((await dialer.take(T.stateClosed)).body), 'session closed');
  assert.equal(String((await host.take(T.stateClosed)).body), 'close called');
  // The first without an answer to the Connect, the second with.
  dialer.connect(session);
  const [first, second] = [await dialer.take(T.stateClosed), await dialer.take(T.stateClosed)];
  assert.deepEqual([String(first.body), String(second.body)], ['session closed', 'invalid session']);
  assert.deepEqual([first.headers.has(H.replyFor), second.headers.has(H.replyFor)], [false, true]);
  rig.net.setPermissions('echo', { bind: ['dialer'] });
  assert.equal(String((await host.take(T.stateClosed)).body), 'session ended');
  rig.net.expireApiSessions('host');
  await host.ended();
  rig.net.removeIdentity('dialer');
  await dialer.ended();
  assert.deepEqual(rig.net.apiSessions, []);
});

test('bytes that are no frames, and silence, end a channel', { timeout }, async () => {
  await using rig = await network({ timing: { helloMs: 500 } });
  await using silent = await join(rig.net, rig.host, { silent: true });
  await silent.ended();
  await using wrong = await join(rig.net, rig.host);
  wrong.socket.write('GET / HTTP/1.1\r\n\r\n------------------------');
  await wrong.ended();
  await using impolite = await join(rig.net, rig.host, { silent: true });
  impolite.send(T.ping);
  await impolite.ended();
});

interface Rig extends AsyncDisposable {
  readonly net: TestNetwork;
  readonly host: TestIdentity;
  readonly dialer: TestIdentity;
  readonly service: { readonly id: string };
}

async function network(options: TestNetworkOptions = {}): Promise<Rig> {
  const net = await startTestNetwork(options);
  const service = net.addService('echo', PLAIN);
  const [host, dialer] = [net.addIdentity('host'), net.addIdentity('dialer')];
  return { net, host, dialer, service, [Symbol.asyncDispose]: () => net.close() };
}

async function circuit({ service }: Rig, dialer: RawClient, host: RawClient): Promise<{ near: number; far: number }> {
  await host.bind(await host.serviceSession(service, 'Bind'));
  const near = dialer.connect(await dialer.serviceSession(service, 'Dial'));
  const far = await host.accept();
  await dialer.take(T.stateConnected);
  return { near, far };
}

function tcp(url: string): Promise<void> {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port) }, () => {
      socket.destroy();
      resolve();
    });
    socket.on('error', reject);
  });
}
