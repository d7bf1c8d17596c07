// The control half against the test network, which was written by others from the same facts: whole flows, several
// controllers, losses.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ControllerOptions, createController } from '../../src/controller/controller.ts';
import type { Controller, Renewal } from '../../src/controller/types.ts';
import { enroll } from '../../src/enroll/enroll.ts';
import type { ZitiError } from '../../src/errors.ts';
import { loadIdentity, parseIdentity } from '../../src/identity.ts';
import {
  type AddIdentityOptions,
  startTestNetwork,
  type TestNetwork,
  type TestNetworkOptions,
} from '../../src/testing/index.ts';
import { manualClock } from '../manual-clock.ts';
import { tempFolder } from '../temp-folder.ts';

interface Setup extends AsyncDisposable {
  readonly net: TestNetwork;
  readonly controller: Controller;
  /** `METHOD /path`, of all controllers. */
  requests(): string[];
}

async function setup(
  network: TestNetworkOptions = {},
  options: ControllerOptions = {},
  identity: AddIdentityOptions = {},
): Promise<Setup> {
  const net = await startTestNetwork(network);
  net.addService('echo', { dial: ['me'], bind: ['me'] });
  const controller = createController(parseIdentity(net.addIdentity('me', identity).json), {
    random: () => 0,
    busyPausesMs: [1, 1],
    ...options,
  });
  return {
    net,
    controller,
    requests: () =>
      net.controllers.flatMap(({ requests }) =>
        requests.map(({ method, path }) => `${method} ${path.replace('/edge/client/v1', '').replace(/\?.*/, '')}`),
      ),
    async [Symbol.asyncDispose]() {
      await controller.close();
      await net.close();
    },
  };
}

function renewal(controller: Controller): Promise<Renewal> {
  return new Promise((resolve) => {
    const stop = controller.onRenewed((_session, kind) => {
      stop();
      resolve(kind);
    });
  });
}

for (const login of ['legacy', 'oidc'] as const) {
  test(`${login}: login, services, sessions, routers, logout`, async () => {
    const it = await setup({ login: 'oidc', routers: 2 }, { login });
    const { net, controller } = it;
    const session = await controller.apiSession();
    assert.equal(session.kind, login);
    assert.equal(session.identityName, 'me');
    assert.deepEqual(net.apiSessions, [{ identity: 'me', kind: login }]);

    const service = await controller.service('echo');
    assert.deepEqual([...service.permissions].sort(), ['Bind', 'Dial']);
    assert.equal(service.encryptionRequired, true);
    assert.deepEqual(await controller.services(), [service]);
    const dial = await controller.dialSession(service);
    const bind = await controller.bindSession(service);
    assert.deepEqual(
      dial.routers.map(({ name, online }) => [name, online]),
      net.routers.map(({ name }) => [name, true]),
    );
    assert.deepEqual(
      dial.routers.map(({ urls }) => urls[0]),
      net.routers.map(({ urls }) => urls.tls?.replace('://', ':')),
    );
    net.routers[1]?.setListedOnline(false);
    for (const one of [dial, bind]) {
      const routers = await controller.refreshRouters(one);
      assert.deepEqual(
        routers.map(({ online }) => online),
        [true, false],
      );
    }
    await controller.close();
    if (login === 'legacy') assert.deepEqual(net.apiSessions, []);
    await it[Symbol.asyncDispose]();
  });

  test(`${login}: sessions that were ended are made anew`, async () => {
    await using it = await setup({ login: 'oidc' }, { login });
    const { net, controller } = it;
    const service = await controller.service('echo');
    await controller.dialSession(service);
    const renewed = renewal(controller);
    net.expireApiSessions('me');
    assert.equal((await controller.services()).length, 1);
    assert.equal(await renewed, 'new-login');
    const session = await controller.apiSession();
    assert.equal((await controller.dialSession(service)).apiSessionId, session.id);
  });

  test(`${login}: a removed identity is refused with a reason`, async () => {
    await using it = await setup({ login: 'oidc' }, { login });
    await it.controller.apiSession();
    it.net.removeIdentity('me');
    await assert.rejects(it.controller.service('echo'), (error: ZitiError) => {
      assert.equal(error.code, 'login_refused');
      assert.match(error.message, new RegExp(`${login} login`));
      return true;
    });
  });

  test(`${login}: rights and services that come and go`, async () => {
    await using it = await setup({ login: 'oidc' }, { login });
    const { net, controller } = it;
    const service = await controller.service('echo');
    net.setPermissions('echo', { dial: ['me'], bind: [] });
    await assert.rejects(controller.bindSession(service), { code: 'service_not_permitted' });
    net.setPermissions('echo', { dial: [], bind: ['me'] });
    assert.equal((await controller.bindSession(service)).type, 'Bind');
    net.setPermissions('echo', { dial: [], bind: [] });
    await assert.rejects(controller.bindSession(service), { code: 'service_not_found' });
    net.removeService('echo');
    await assert.rejects(controller.service('echo', { refresh: true }), { code: 'service_not_found' });
    net.addService('echo', { dial: ['me'] });
    const made = await controller.dialSession(service);
    assert.notEqual(made.serviceId, service.id);
  });
}

test('a single controller gets the legacy login, even when it offers OIDC', async () => {
  await using it = await setup({ login: 'oidc' });
  assert.equal((await it.controller.apiSession()).kind, 'legacy');
  assert.ok(!it.requests().some((one) => one.includes('/oidc')));
});

test('a controller that refuses the legacy login gets the OIDC one', async () => {
  await using it = await setup({ login: 'oidc' });
  using _ = it.net.controllers[0]?.intercept(({ path }) =>
    path.includes('/authenticate')
      ? { status: 404, body: { error: { code: 'NOT_FOUND', message: 'gone in 3.0' } } }
      : undefined,
  );
  assert.equal((await it.controller.apiSession()).kind, 'oidc');
});

test('several controllers get the OIDC login, and the others serve when one stops', async () => {
  await using it = await setup({ login: 'oidc', controllers: 3 });
  const { net, controller } = it;
  const service = await controller.service('echo');
  const session = await controller.apiSession();
  assert.equal(session.kind, 'oidc');
  assert.equal(session.controller, `${net.controllers[0]?.url}/edge/client/v1`);
  await net.controllers[0]?.stop();
  await net.controllers[1]?.stop();
  assert.equal((await controller.dialSession(service)).apiSessionId, session.id);
  assert.deepEqual(
    controller.states().map(({ reachable }) => reachable),
    [false, false, true],
  );
  await net.controllers[2]?.stop();
  await assert.rejects(controller.services(), (error: ZitiError) => {
    assert.equal(error.code, 'controller_unreachable');
    for (const { url } of net.controllers) assert.ok(error.message.includes(new URL(url).host), error.message);
    return true;
  });
  await net.controllers[1]?.start();
  assert.equal((await controller.services()).length, 1);
});

test('a file that knows one controller of several learns the others and changes to OIDC', async () => {
  await using it = await setup({ login: 'oidc', controllers: 2 }, {}, { allControllers: false });
  const { net, controller } = it;
  assert.equal(controller.states().length, 1);
  assert.equal((await controller.apiSession()).kind, 'oidc');
  assert.equal(controller.states().length, 2);
  assert.deepEqual(
    net.apiSessions.map(({ kind }) => kind),
    ['oidc'],
    'the first login was given up',
  );
  await net.controllers[0]?.stop();
  assert.equal((await controller.services()).length, 1);
});

test('several controllers without OIDC get a legacy login, made anew elsewhere when its controller stops', async () => {
  await using it = await setup({ controllers: 2 });
  const { net, controller } = it;
  const session = await controller.apiSession();
  assert.equal(session.kind, 'legacy');
  const renewed = renewal(controller);
  await net.controllers.find(({ url }) => session.controller.startsWith(url))?.stop();
  assert.equal((await controller.services()).length, 1);
  assert.equal(await renewed, 'new-login');
  assert.notEqual((await controller.apiSession()).controller, session.controller);
});

test('a legacy login whose controller is gone when it should be renewed is made anew elsewhere', async () => {
  const clock = manualClock(Date.now());
  await using it = await setup({ controllers: 2 }, { clock });
  const { net, controller } = it;
  const session = await controller.apiSession();
  assert.equal(session.kind, 'legacy');
  await net.controllers.find(({ url }) => session.controller.startsWith(url))?.stop();
  const renewed = renewal(controller);
  await clock.advance(900_000);
  assert.equal(await renewed, 'new-login');
  assert.notEqual((await controller.apiSession()).controller, session.controller);
});

test('a demanded login is the only one that is tried', async () => {
  await using it = await setup({}, { login: 'oidc' });
  await assert.rejects(it.controller.apiSession(), (error: ZitiError) => {
    assert.equal(error.code, 'login_refused');
    assert.ok(!error.message.includes('legacy'));
    return true;
  });
  assert.ok(!it.requests().includes('POST /authenticate'));
});

test('OIDC tokens are renewed in time, by any controller, and the login stays the same', async () => {
  const clock = manualClock(Date.now());
  await using it = await setup({ login: 'oidc', controllers: 2 }, { clock });
  const { net, controller } = it;
  const first = await controller.apiSession();
  await net.controllers[0]?.stop();
  for (let times = 0; times < 3; times += 1) {
    const renewed = renewal(controller);
    await clock.advance(900_000);
    assert.equal(await renewed, 'refreshed');
  }
  const last = await controller.apiSession();
  assert.equal(last.id, first.id);
  assert.notEqual(last.token, first.token);
  assert.equal((await controller.services()).length, 1);
});

test('an access token that the controller finds too old is refreshed, not replaced by a new login', async () => {
  await using it = await setup({ login: 'oidc' }, { login: 'oidc' });
  const { net, controller } = it;
  const session = await controller.apiSession();
  let refusals = 1;
  using _ = net.controllers[0]?.intercept(({ path }) =>
    path.includes('/services') && refusals-- > 0
      ? { status: 401, body: { error: { code: 'UNAUTHORIZED' } } }
      : undefined,
  );
  const renewed = renewal(controller);
  await controller.service('echo');
  assert.equal(await renewed, 'refreshed');
  assert.equal((await controller.apiSession()).id, session.id);

  refusals = 2;
  const again = [renewal(controller)];
  await controller.services();
  assert.equal(await again[0], 'refreshed');
  assert.notEqual((await controller.apiSession()).id, session.id, 'the second 401 takes a new login');

  refusals = 3;
  await assert.rejects(controller.services(), { code: 'login_lost' });
});

test('a 500 without code, as 1.6.0 gives to the token of a deleted identity, leads to a new login', async () => {
  await using it = await setup({ login: 'oidc' }, { login: 'oidc' });
  const { net, controller } = it;
  const service = await controller.service('echo');
  using _ = net.controllers[0]?.intercept(({ path, method }) =>
    path.includes('/sessions') && method === 'POST' ? { status: 500, body: {} } : undefined,
  );
  net.removeIdentity('me');
  await assert.rejects(controller.dialSession(service), { code: 'login_refused' });
});

test('what hangs or is cut on one controller is answered by another', async () => {
  await using it = await setup({ login: 'oidc', controllers: 2 }, { timeoutMs: 200 });
  const { net, controller } = it;
  await controller.apiSession();
  for (const fault of ['hang', 'cut'] as const) {
    using _ = net.controllers[0]?.intercept(({ path }) => (path.includes('/services') ? fault : undefined));
    assert.equal((await controller.services()).length, 1);
  }
});

test('many users at once make one login, and after its loss one more', async () => {
  await using it = await setup({ login: 'oidc' });
  const { controller, net } = it;
  const logins = () => it.requests().filter((one) => one === 'POST /authenticate').length;
  await Promise.all(Array.from({ length: 50 }, () => controller.services()));
  assert.equal(logins(), 1);
  net.expireApiSessions('me');
  await Promise.all(Array.from({ length: 50 }, () => controller.services()));
  assert.equal(logins(), 2);
});

test('a pause of a busy controller is waited out', async () => {
  await using it = await setup();
  let busy = 2;
  using _ = it.net.controllers[0]?.intercept(() =>
    busy-- > 0 ? { status: 429, body: { error: { code: 'SERVER_TOO_MANY_REQUESTS', message: 'later' } } } : undefined,
  );
  assert.equal((await it.controller.services()).length, 1);
});

test('a program that forgets to close still ends: no timer and no idle connection holds it', async () => {
  await using net = await startTestNetwork();
  const file = await net.identityFile(net.addIdentity('forgetful'));
  const program = join(import.meta.dirname, 'fixtures/forgetful.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', program, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const [code] = await once(child, 'close', { signal: AbortSignal.timeout(30_000) }).finally(() => child.kill());
  assert.deepEqual([code, said], [0, 'forgetful']);
});

for (const key of ['P-256', 'P-384', 'RSA-2048', 'Ed25519'] as const) {
  test(`an identity with a ${key} key logs in`, async () => {
    await using it = await setup({}, {}, { key });
    assert.equal((await it.controller.apiSession()).identityName, 'me');
  });

  test(`a token is enrolled with a ${key} key and the identity works at once`, async () => {
    await using net = await startTestNetwork();
    await using folder = await tempFolder();
    const { token, id } = net.addEnrollment('fresh');
    const out = folder.file('fresh.json');
    const made = await enroll(token, { out, keyType: key });
    assert.equal(made.id, id);
    const controller = createController(await loadIdentity(out));
    assert.equal((await controller.apiSession()).identityName, 'fresh');
    await controller.close();

    await rm(out);
    await assert.rejects(enroll(token, { out }), { code: 'enroll_token_refused' });
    await assert.rejects(readFile(out), { code: 'ENOENT' });
  });
}

test('an expired token of the test network is refused here already', async () => {
  await using net = await startTestNetwork();
  await using folder = await tempFolder();
  const { token } = net.addEnrollment('late', { expiresInMs: -1000 });
  await assert.rejects(enroll(token, { out: folder.file('x') }), { code: 'enroll_token_expired' });
  // The controller has the last word.
  const before = { now: () => Date.now() - 60_000 };
  await assert.rejects(enroll(token, { out: folder.file('x'), ...before }), (error: ZitiError) =>
    ['enroll_token_expired', 'enroll_token_refused'].includes(error.code),
  );
});
