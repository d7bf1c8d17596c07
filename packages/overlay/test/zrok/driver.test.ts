// What is zrok's own: closed shares and grants, accesses, what stays behind and who removes it. On a test network and the fake
// controller, in homes of their own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Connection, OverlayError, openOverlay } from '../../src/index.ts';
import {
  atLeast,
  coded,
  everything,
  importOptions,
  over,
  spawnHost,
  type ZrokHome,
  type ZrokHouse,
  zrokHouse,
} from '../../src/testing/index.ts';
import { createZrokOverlay } from '../../src/zrok/driver.ts';
import { readZrokRoot } from '../../src/zrok/environment.ts';

const timeout = 60_000;
const echo = { onConnection: (connection: Connection) => void connection.pipe(connection) };

test('an ephemeral share is closed, says whose it is, and leaves nothing', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const overlay = await home.open();
  const listener = await overlay.listenEphemeral(echo);
  const row = house.zrok.books.shares.get(listener.share);
  assert.deepEqual([row?.permissionMode, row?.target], ['closed', 'mcp-overlay, ephemeral']);
  assert.equal((await records(home)).length, 1, 'on record while it lives');
  await listener.close();
  assert.deepEqual([...house.zrok.books.shares.keys()], []);
  assert.deepEqual(await records(home), []);
});

test('a name that the controller finds rude is replaced by another', { timeout }, async () => {
  await using house = await zrokHouse();
  const overlay = await (await house.environment()).open();
  const rude = { status: 409, body: "requested private share token 'x' has invalid unique name" };
  for (let i = 0; i < 3; i += 1) house.zrok.fault('POST /share', { answer: rude });
  const listener = await overlay.listenEphemeral(echo);
  (await overlay.dial(listener.share)).destroy();
  await listener.close();
  for (let i = 0; i < 4; i += 1) house.zrok.fault('POST /share', { answer: rude });
  await assert.rejects(overlay.listenEphemeral(echo), coded('bad_token'));
});

test('one access serves all dials of an object, and goes with it; another object has its own', {
  timeout,
}, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const [host, first, second] = await Promise.all([home.open(), home.open(), home.open()]);
  const { token } = await host.createShare();
  const listener = await host.listen(token, echo);
  const dials = await Promise.all(Array.from({ length: 20 }, () => first.dial(token)));
  assert.equal(house.zrok.books.accesses.size, 1);
  const other = await second.dial(token);
  assert.equal(house.zrok.books.accesses.size, 2);
  await first.close();
  assert.equal(house.zrok.books.accesses.size, 1);
  other.write('still here');
  assert.equal(String(await atLeast(other, 10)), 'still here');
  await second.close();
  assert.equal(house.zrok.books.accesses.size, 0);
  assert.deepEqual(await records(home), []);
  for (const one of [...dials, other]) one.destroy();
  await listener.close();
});

test('a share that will be dialled at once: its access and the login are made before the dial, once', {
  timeout,
}, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const host = await home.open();
  const listener = await host.listenEphemeral(echo);
  const asked = house.zrok.called('POST /access');
  const { overlay } = await openOverlay({ env: home.env, kind: 'zrok', dialSoon: listener.share });
  await asked;
  (await overlay.dial(listener.share)).destroy();
  assert.equal(house.zrok.calls.filter((call) => call.startsWith('POST /access')).length, 1);
  await overlay.close();
  assert.equal(house.zrok.books.accesses.size, 0);
  assert.deepEqual((await records(home)).length, 1, 'that of the share alone');
});

test('what is wrong with a share that will be dialled is told by the dial', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  for (const [token, code] of [
    ['nobodys', 'share_unknown'],
    ['NO TOKEN', 'bad_token'],
  ] as const) {
    const { overlay } = await openOverlay({ env: home.env, kind: 'zrok', dialSoon: token });
    await assert.rejects(overlay.dial(token), coded(code));
    await overlay.close();
  }
  const { environment } = await readZrokRoot(home.env);
  assert.ok(environment);
  const opening = createZrokOverlay({ env: home.env, environment, dialSoon: 'nobodys', trust: ['/missing'] });
  await assert.rejects(opening, coded('trust_invalid'));
  // Asked for and not waited for: the next program looks whether anything was made.
  await (await home.open()).listShares();
  assert.deepEqual([await records(home), house.zrok.books.accesses.size], [[], 0]);
});

test('an access of a killed program is removed by the next that comes', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const overlay = await home.open();
  const { token } = await overlay.createShare();
  const listener = await overlay.listen(token, echo);
  await using dialler = await runDialler(home, token);
  assert.equal(house.zrok.books.accesses.size, 1);
  await overlay.listShares();
  assert.equal(house.zrok.books.accesses.size, 1, 'a living program keeps it');
  await dialler.kill();
  await overlay.listShares();
  assert.equal(house.zrok.books.accesses.size, 0);
  assert.deepEqual(await records(home), []);
  await listener.close();
});

test('a share of a killed host is removed by the next program of that user, and by nobody else', {
  timeout,
}, async () => {
  await using house = await zrokHouse();
  const [home, elsewhere] = await Promise.all([house.environment(), house.environment()]);
  await using host = await spawnHost(home.env, 'zrok');
  await host.kill();
  const [other, own] = await Promise.all([elsewhere.open(), home.open()]);
  assert.deepEqual(
    (await other.listShares()).map(({ token }) => token),
    [host.share],
  );
  const listener = await own.listenEphemeral(echo);
  assert.deepEqual([...house.zrok.books.shares.keys()], [listener.share]);
  await listener.close();
});

test('two environments of one account use each other’s shares at once', { timeout }, async () => {
  await using house = await zrokHouse();
  const [home, away] = await Promise.all([house.environment(), house.environment()]);
  const [overlay, other] = await Promise.all([home.open(), away.open()]);
  const { token } = await overlay.createShare('shared-one');
  const listener = await overlay.listen(token, echo);
  const ephemeral = await other.listenEphemeral(echo);
  for (const connection of await Promise.all([other.dial(token), overlay.dial(ephemeral.share)])) {
    const echoed = everything(connection);
    connection.end('hello');
    assert.equal(String(await echoed), 'hello');
  }
  const listed = await other.listShares();
  assert.deepEqual(
    listed.map(({ token: name, may }) => [name, may]),
    [
      [ephemeral.share, ['dial', 'host']],
      [token, ['dial']],
    ].sort(),
  );
  await Promise.all([listener.close(), ephemeral.close()]);
});

test('the account’s environments are owners of each other’s shares', { timeout }, async () => {
  await using house = await zrokHouse();
  const homes = await Promise.all([house.environment(), house.environment(), house.environment('b@example.com')]);
  const ids = await Promise.all(homes.map(async ({ env }) => (await readZrokRoot(env)).environment?.envZId));
  const { environment } = await readZrokRoot(homes[0]?.env ?? {});
  assert.ok(environment && homes[0]);
  const overlay = await createZrokOverlay({ env: homes[0].env, environment });
  assert.deepEqual([...(await overlay.ownIdentities())].sort(), [`ziti:${ids[0]}`, `ziti:${ids[1]}`].sort());
  await overlay.close();
});

test('a share is hosted and removed where it was made; elsewhere it is said where that is', { timeout }, async () => {
  await using house = await zrokHouse();
  const [home, away] = await Promise.all([house.environment(), house.environment()]);
  const [overlay, other] = await Promise.all([home.open(), away.open()]);
  await overlay.createShare('mine-alone');
  const { environment } = await readZrokRoot(home.env);
  for (const act of [() => other.listen('mine-alone', echo), () => other.deleteShare('mine-alone')]) {
    await assert.rejects(act(), (error: unknown) => {
      assert.ok(error instanceof OverlayError);
      assert.equal(error.code, 'not_permitted');
      assert.ok(error.message.includes(environment?.envZId ?? '?'));
      return true;
    });
  }
});

test('another account needs a grant for a closed share, and none for an open one', { timeout }, async () => {
  await using house = await zrokHouse();
  const [home, away] = await Promise.all([house.environment(), house.environment('b@example.com')]);
  const [overlay, other] = await Promise.all([home.open(), away.open()]);
  await overlay.createShare('closed-one');
  await overlay.createShare('open-one', { open: true });
  await overlay.createShare('granted-one', { grants: ['b@example.com'] });
  const listeners = await Promise.all(
    ['closed-one', 'open-one', 'granted-one'].map((token) => overlay.listen(token, echo)),
  );
  await assert.rejects(other.dial('closed-one'), (error: unknown) => {
    assert.ok(error instanceof OverlayError);
    assert.equal(error.code, 'not_permitted');
    assert.match(error.hint ?? '', /--grant MAIL/);
    return true;
  });
  for (const token of ['open-one', 'granted-one']) (await other.dial(token)).destroy();
  assert.deepEqual(await other.listShares(), [], 'others’ shares are not listed');
  await Promise.all(listeners.map((listener) => listener.close()));
  const ephemeral = await overlay.listenEphemeral({ ...echo, grants: ['b@example.com'] });
  (await other.dial(ephemeral.share)).destroy();
  await ephemeral.close();
});

test('a grant for nobody is refused, and leaves the name free', { timeout }, async () => {
  await using house = await zrokHouse();
  const overlay = await (await house.environment()).open();
  await assert.rejects(overlay.createShare('wanted', { grants: ['nobody@example.com'] }), coded('grant_unknown'));
  await assert.rejects(overlay.listenEphemeral({ ...echo, grants: ['nobody@example.com'] }), coded('grant_unknown'));
  assert.deepEqual([...house.zrok.books.shares.keys()], []);
  await overlay.createShare('wanted');
  await assert.rejects(overlay.listen('wanted', { ...echo, grants: ['nobody@example.com'] }), coded('grant_unknown'));
  await (await overlay.listen('wanted', echo)).close();
});

test('grants of a persistent share are given once, again when it was made anew', { timeout }, async () => {
  await using house = await zrokHouse();
  house.zrok.addAccount('b@example.com');
  const home = await house.environment();
  const granted = (): number => house.zrok.calls.filter((call) => call.startsWith('PATCH /share')).length;
  const grants = ['b@example.com'];
  const overlay = await home.open();
  await overlay.createShare('stays');
  for (let i = 0; i < 3; i += 1) await (await (await home.open()).listen('stays', { ...echo, grants })).close();
  assert.equal(granted(), 1);
  await overlay.deleteShare('stays');
  await overlay.createShare('stays');
  await (await overlay.listen('stays', { ...echo, grants })).close();
  assert.equal(granted(), 2);
  assert.deepEqual(house.zrok.books.shares.get('stays')?.grants, grants);
});

test('a share that is removed while it is hosted: its host is told, soon and once', { timeout }, async () => {
  await using house = await zrokHouse();
  const [home, away] = await Promise.all([house.environment(), house.environment()]);
  const overlay = await home.open();
  const { token } = await overlay.createShare();
  const lost = new Promise<Error>((resolve) => {
    void overlay.listen(token, { ...echo, onLost: resolve });
  });
  const other = await away.open();
  await house.network.until(() => house.network.terminators.length === 1);
  (await other.dial(token)).destroy();
  // As the account's owner does on the web console.
  await fetchUnshare(house, home, token);
  const error = await lost;
  assert.ok(coded('share_unknown')(error), String(error));
  assert.match(error.message, /removed while this program hosted it/);
  await overlay.createShare(token);
  await (await overlay.listen(token, echo)).close();
});

test('connections outlive an ephemeral share’s listener; the share goes with the last', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const [overlay, other] = await Promise.all([home.open(), home.open()]);
  const listener = await overlay.listenEphemeral(echo);
  const connection = await other.dial(listener.share);
  connection.write('here');
  await atLeast(connection, 4);
  await listener.close();
  assert.equal(house.zrok.books.shares.size, 1);
  await assert.rejects(other.dial(listener.share), coded('share_not_hosted'));
  const echoed = atLeast(connection, 10);
  connection.resume().write('still here');
  assert.equal(String(await echoed), 'still here');
  const removed = house.zrok.called('DELETE /unshare');
  connection.destroy();
  await removed;
  await overlay.close();
  assert.equal(house.zrok.books.shares.size, 0);
});

test('a controller that does not answer at the end holds up nobody; the next program removes what is left', {
  timeout,
}, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const overlay = await home.open();
  const listener = await overlay.listenEphemeral(echo);
  const connection = await overlay.dial(listener.share);
  connection.destroy();
  house.zrok.fault('DELETE /unshare', { hangUp: true });
  house.zrok.fault('DELETE /unaccess', { hangUp: true });
  await overlay.close();
  assert.equal((await records(home)).length, 2);
  assert.deepEqual(await (await home.open()).listShares(), []);
  assert.deepEqual(await records(home), []);
  assert.deepEqual([house.zrok.books.shares.size, house.zrok.books.accesses.size], [0, 0]);
});

test('an overlay that is closed while it makes a share leaves none', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const overlay = await home.open();
  const called = house.zrok.called('POST /share');
  const listening = overlay.listenEphemeral(echo);
  await called;
  await Promise.all([assert.rejects(listening, coded('overlay_unavailable', 'dial_aborted')), overlay.close()]);
  assert.equal(house.zrok.books.shares.size, 0);
  assert.deepEqual(await records(home), []);
});

test('a share made anew under its name is dialled anew', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const [overlay, other] = await Promise.all([home.open(), home.open()]);
  for (let round = 0; round < 3; round += 1) {
    await overlay.createShare('again');
    const listener = await overlay.listen('again', echo);
    (await other.dial('again')).destroy();
    await listener.close();
    await overlay.deleteShare('again');
  }
  await assert.rejects(other.dial('again'), coded('share_unknown'));
});

test('an access that somebody removed is made again', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const [overlay, other] = await Promise.all([home.open(), home.open()]);
  const { token } = await overlay.createShare();
  const listener = await overlay.listen(token, echo);
  const connection = await other.dial(token);
  const lost = over(connection);
  connection.resume();
  await unaccessAll(house, home);
  assert.ok(coded('connection_lost')(await lost), 'the right was withdrawn');
  (await other.dial(token)).destroy();
  await listener.close();
});

test('who calls is claimed by the network, with the account’s address', { timeout }, async () => {
  await using house = await zrokHouse();
  const [home, away] = await Promise.all([house.environment(), house.environment()]);
  const [overlay, other] = await Promise.all([home.open(), away.open()]);
  const arrived = new Promise<Connection>((resolve) => {
    void overlay.createShare('who-calls').then(() => overlay.listen('who-calls', { onConnection: resolve }));
  });
  await house.network.until(() => house.network.terminators.length === 1);
  const connection = await other.dial('who-calls');
  const { peer, binding } = await arrived;
  assert.match(peer.claimed ?? '', /^a@example\.com-/);
  assert.equal(connection.peer.claimed, undefined);
  assert.deepEqual(connection.binding, binding);
  connection.destroy();
});

test('a controller that is away or silent is told apart from a share that is not there', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const overlay = await home.open();
  house.zrok.fault('POST /access', { hangUp: true });
  await assert.rejects(overlay.dial('any-share'), coded('network_unreachable'));
  house.zrok.fault('POST /access', { stall: true });
  await assert.rejects(overlay.dial('any-share', { timeoutMs: 100 }), coded('dial_timeout'));
  await assert.rejects(overlay.dial('any-share'), coded('share_unknown'));
});

test('an environment that was disabled elsewhere is refused, with the way back', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const overlay = await home.open();
  house.zrok.books.environments.clear();
  const acts = [
    () => overlay.dial('any-share'),
    () => overlay.createShare('any-share'),
    () => overlay.listenEphemeral(echo),
  ];
  for (const act of acts) {
    await assert.rejects(act(), (error: unknown) => {
      assert.ok(error instanceof OverlayError);
      assert.equal(error.code, 'environment_refused');
      assert.match(error.hint ?? '', /mcp-tools enable/);
      return true;
    });
  }
});

test('zrok is taken when it is enabled and nothing is named, and only then', { timeout }, async () => {
  await using house = await zrokHouse();
  const home = await house.environment();
  const chosen = await openOverlay({ env: home.env });
  assert.equal(chosen.overlay.kind, 'zrok');
  assert.match(chosen.chosenBecause, /no overlay was named; a zrok environment is enabled in .*\.zrok2/);
  await chosen.overlay.close();
  const nobody = await openOverlay({ env: { ...home.env, HOME: home.home } });
  assert.equal(nobody.overlay.kind, 'local');
  await assert.rejects(openOverlay({ env: { HOME: home.home }, kind: 'zrok' }), coded('not_enabled'));
});

async function records({ home }: ZrokHome): Promise<string[]> {
  return (await readdir(join(home, 'records'))).filter((name) => !name.startsWith('granted-'));
}

/** Behind the back of our programs. */
async function fetchUnshare(house: ZrokHouse, home: ZrokHome, shareToken: string): Promise<void> {
  const { environment } = await readZrokRoot(home.env);
  await call(house, home, 'unshare', { envZId: environment?.envZId, shareToken });
}

async function unaccessAll(house: ZrokHouse, home: ZrokHome): Promise<void> {
  for (const { token, env, share } of [...house.zrok.books.accesses.values()]) {
    await call(house, home, 'unaccess', { frontendToken: token, envZId: env.zId, shareToken: share.token });
  }
}

async function call(house: ZrokHouse, home: ZrokHome, path: string, body: object): Promise<void> {
  const type = 'application/zrok.v1+json';
  const answer = await fetch(`${house.zrok.url}/api/v2/${path}`, {
    method: 'DELETE',
    headers: { 'content-type': type, 'x-token': home.accountToken },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200);
}

async function runDialler(home: ZrokHome, token: string): Promise<AsyncDisposable & { kill(): Promise<void> }> {
  const program = fileURLToPath(new URL('./fixtures/dialler.ts', import.meta.url));
  const child = spawn(process.execPath, [...importOptions(), program, token], {
    env: home.env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await gone;
  };
  const ended = gone.then(([code]) => Promise.reject(new Error(`ended with ${code}`)));
  ended.catch(() => {});
  await Promise.race([once(child.stdout, 'data'), ended]);
  return { kill, [Symbol.asyncDispose]: kill };
}
