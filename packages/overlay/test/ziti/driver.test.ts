// What is OpenZiti's own: who may what, several hosts, services without encryption, and what its refusals become.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startTestNetwork, type TestNetwork } from '@mcp-overlay/ziti/testing';
import { type Connection, type Overlay, OverlayError, openOverlay } from '../../src/index.ts';
import { coded, everything } from '../../src/testing/index.ts';

const timeout = 60_000;
const echo = { onConnection: (connection: Connection) => void connection.pipe(connection) };

interface House extends AsyncDisposable {
  readonly network: TestNetwork;
  readonly env: NodeJS.ProcessEnv;
  /** An overlay of an identity of this name, made when it is new; each call another object. */
  as(name: string): Promise<Overlay>;
}

async function house(): Promise<House> {
  const folder = await mkdtemp(join(tmpdir(), 'ziti-driver-'));
  const network = await startTestNetwork();
  const files = new Map<string, Promise<string>>();
  const opened: Overlay[] = [];
  const env = { HOME: folder };
  return {
    network,
    env,
    as: async (name) => {
      const file = files.get(name) ?? network.identityFile(network.addIdentity(name));
      files.set(name, file);
      const { overlay } = await openOverlay({ env, kind: 'ziti', identity: await file });
      opened.push(overlay);
      return overlay;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.map((overlay) => overlay.close()));
      await network.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

test('permissions decide who hosts and who dials; each is told what it may', { timeout }, async () => {
  await using h = await house();
  h.network.addService('a-share', { bind: ['alice'], dial: ['bob'] });
  h.network.addService('not-Yours', { bind: ['alice'] });
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map(h.as));
  assert.ok(alice && bob && carol);
  const listener = await alice.listen('a-share', echo);
  const connection = await bob.dial('a-share');
  const echoed = everything(connection);
  connection.end('hello');
  assert.equal(String(await echoed), 'hello');
  await assert.rejects(bob.listen('a-share', echo), coded('not_permitted'));
  await assert.rejects(alice.dial('a-share'), coded('not_permitted'));
  await assert.rejects(carol.dial('a-share'), coded('share_unknown'), 'what one may not use one does not see');
  const seen = async (overlay: Overlay) => (await overlay.listShares()).map(({ token, may }) => [token, may]);
  assert.deepEqual(await seen(alice), [['a-share', ['host']]], 'a name that is no share token is not shown');
  assert.deepEqual(await seen(bob), [['a-share', ['dial']]]);
  assert.deepEqual(await seen(carol), []);
  await listener.close();
});

test('a right that came later counts at once', { timeout }, async () => {
  await using h = await house();
  h.network.addService('a-share', { bind: ['alice'], dial: [] });
  const alice = await h.as('alice');
  const listener = await alice.listen('a-share', echo);
  await assert.rejects(alice.dial('a-share'), coded('not_permitted'));
  h.network.setPermissions('a-share', { bind: ['alice'], dial: ['alice'] });
  (await alice.dial('a-share')).destroy();
  await listener.close();
});

test('two identities host one service; one of them once', { timeout }, async () => {
  await using h = await house();
  h.network.addService('a-share');
  const [alice, again, bob, carol] = await Promise.all(['alice', 'alice', 'bob', 'carol'].map(h.as));
  assert.ok(alice && again && bob && carol);
  const first = await alice.listen('a-share', echo);
  await assert.rejects(again.listen('a-share', echo), coded('share_in_use'));
  const second = await bob.listen('a-share', echo);
  assert.equal(h.network.terminators.length, 2);
  assert.deepEqual(
    (await again.listShares()).map(({ hosted }) => hosted),
    [true],
  );
  assert.deepEqual(
    (await carol.listShares()).map(({ hosted }) => hosted),
    [undefined],
    'the network does not say',
  );
  await first.close();
  for (let i = 0; i < 5; i += 1) (await carol.dial('a-share')).destroy();
  await second.close();
  await assert.rejects(carol.dial('a-share'), coded('share_not_hosted'));
});

test('the host is told who calls, as a claim; a service without encryption has no binding', { timeout }, async () => {
  await using h = await house();
  h.network.addService('a-share');
  h.network.addService('plain', { encryption: false });
  const [alice, bob] = await Promise.all(['alice', 'bob'].map(h.as));
  assert.ok(alice && bob);
  for (const token of ['a-share', 'plain']) {
    let arrived: (connection: Connection) => void = () => {};
    const arrival = new Promise<Connection>((resolve) => {
      arrived = resolve;
    });
    const listener = await alice.listen(token, { onConnection: (connection) => arrived(connection) });
    const dialer: Connection = await bob.dial(token);
    const host = await arrival;
    assert.deepEqual(host.peer, { overlay: 'ziti', claimed: 'bob' });
    assert.deepEqual(dialer.peer, { overlay: 'ziti' });
    assert.deepEqual(dialer.binding, host.binding);
    assert.equal(dialer.binding === null, token === 'plain');
    dialer.destroy();
    await once(host.resume(), 'close').catch(() => {});
    await listener.close();
  }
});

test('a service that is made, hosted, removed and made again needs no restart', { timeout }, async () => {
  await using h = await house();
  const [alice, bob] = await Promise.all(['alice', 'bob'].map(h.as));
  assert.ok(alice && bob);
  for (let round = 0; round < 2; round += 1) {
    await assert.rejects(bob.dial('a-share'), (error: unknown) => {
      assert.ok(error instanceof OverlayError);
      assert.equal(error.code, 'share_unknown');
      assert.match(error.hint ?? '', /ziti edge create service a-share/);
      return true;
    });
    h.network.addService('a-share');
    const listener = await alice.listen('a-share', echo);
    (await bob.dial('a-share')).destroy();
    await listener.close();
    h.network.removeService('a-share');
  }
});

test('without an identity file, or with a wrong one, nothing begins, and it is said what is missing', async () => {
  await using h = await house();
  const text = join(h.env.HOME ?? '', 'text.json');
  await writeFile(text, 'not an identity');
  await chmod(text, 0o600);
  const cases: [string | undefined, RegExp][] = [
    [undefined, /mcp-tools enroll/],
    [text, /./],
    [join(h.env.HOME ?? '', 'nowhere.json'), /./],
  ];
  for (const [identity, hint] of cases) {
    await assert.rejects(openOverlay({ env: h.env, kind: 'ziti', identity }), (error: unknown) => {
      assert.ok(error instanceof OverlayError, String(error));
      assert.equal(error.code, 'identity_invalid', error.message);
      assert.match(error.hint ?? '', hint);
      return true;
    });
  }
});

test('an identity that was removed is refused; a controller that is away is unreachable', { timeout }, async () => {
  await using h = await house();
  h.network.addService('a-share');
  const gone = await h.as('gone');
  h.network.removeIdentity('gone');
  await assert.rejects(gone.dial('a-share'), coded('identity_refused'));
  const alice = await h.as('alice');
  await h.network.controllers[0]?.stop();
  for (const act of [() => alice.dial('a-share', { timeoutMs: 3000 }), () => alice.listShares()]) {
    await assert.rejects(act(), coded('network_unreachable', 'dial_timeout'));
  }
});

test('a router that is away is unreachable, and its listener comes back by itself', { timeout }, async () => {
  await using h = await house();
  h.network.addService('a-share');
  const [alice, bob] = await Promise.all(['alice', 'bob'].map(h.as));
  assert.ok(alice && bob);
  const reach: boolean[] = [];
  const why: (string | undefined)[] = [];
  let isBack: () => void = () => {};
  const back = new Promise<void>((resolve) => {
    isBack = resolve;
  });
  const onReach = (reached: boolean, error: Error | undefined): void => {
    reach.push(reached);
    why.push(error?.message);
    if (reach.includes(false) && reached) isBack();
  };
  const listener = await alice.listen('a-share', { ...echo, onReach });
  assert.deepEqual(reach, [true]);
  const [router] = h.network.routers;
  await router?.kill();
  await assert.rejects(bob.dial('a-share', { timeoutMs: 3000 }), coded('network_unreachable', 'dial_timeout'));
  assert.equal(reach[1], false, 'its host is told');
  assert.ok(why[1], 'and why');
  await router?.start();
  await h.network.until(() => h.network.terminators.length === 1);
  await back;
  (await bob.dial('a-share')).destroy();
  await listener.close();
});
