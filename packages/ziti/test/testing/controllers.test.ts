// Controllers of a test network as servers: several over one state, stopped and started, and made to misbehave.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestNetwork } from '../../src/testing/index.ts';
import { ask, logIn } from './ask.ts';
import { claimsOf, oidcLogin, refresh } from './oidc-flow.ts';

const timeout = 30_000;

test('of several controllers each takes OIDC tokens of all, a legacy login only its own', { timeout }, async () => {
  await using net = await startTestNetwork({ controllers: 3, login: 'oidc' });
  net.addService('echo');
  const me = net.addIdentity('me');
  assert.equal(JSON.parse(me.json).ztAPIs.length, 3);
  const { access_token: session, refresh_token: token } = await oidcLogin(net, me);
  for (const controller of [0, 1, 2]) {
    const { status, body } = await ask(net, 'GET', '/services', { as: me, session, controller });
    assert.deepEqual([status, body.data[0].name], [200, 'echo']);
  }
  assert.equal((await refresh(net, me, token, 2)).status, 200);
  assert.equal((await refresh(net, me, token, 1)).status, 400, 'used at another one');
  const legacy = await logIn(net, me, 1);
  const seen = [0, 1, 2].map(
    async (controller) => (await ask(net, 'GET', '/services', { session: legacy, controller })).status,
  );
  assert.deepEqual(await Promise.all(seen), [401, 200, 401]);
  const { body } = await ask(net, 'GET', '/controllers', { as: me, session });
  const urls = body.data.map(
    (one: { apiAddresses: Record<string, { url: string }[]> }) => one.apiAddresses['edge-client']?.[0]?.url,
  );
  assert.deepEqual(
    urls,
    net.controllers.map(({ url }) => `${url}/edge/client/v1`),
  );
  assert.deepEqual((await ask(net, 'GET', '/version')).body.data.capabilities, ['OIDC_AUTH', 'HA_CONTROLLER']);
});

test('a stopped controller refuses connections, and is the same after its start', { timeout }, async () => {
  await using net = await startTestNetwork();
  const me = net.addIdentity('me');
  const session = await logIn(net, me);
  const [controller] = net.controllers;
  const { url } = controller ?? {};
  await controller?.stop();
  await assert.rejects(ask(net, 'GET', '/version'), { code: 'ECONNREFUSED' });
  await controller?.start();
  assert.equal(controller?.url, url);
  assert.equal((await ask(net, 'GET', '/current-identity', { session })).status, 200);
  assert.deepEqual(
    controller?.requests.map(({ status }) => status),
    [200, 200],
  );
});

test('requests can be answered otherwise, cut, held, and let go again', { timeout }, async () => {
  await using net = await startTestNetwork();
  const me = net.addIdentity('me');
  const session = await logIn(net, me);
  const [controller] = net.controllers;
  const seen: string[] = [];
  let held = (): void => {};
  {
    using _busy = controller?.intercept(({ method, path, identity }) => {
      seen.push(`${method} ${path} ${identity}`);
      return { status: 503, body: { error: { code: 'CLUSTER_NO_LEADER' } } };
    });
    const busy = await ask(net, 'GET', '/services?limit=1', { as: me, session });
    assert.deepEqual([busy.status, busy.body.error.code], [503, 'CLUSTER_NO_LEADER']);
  }
  {
    using _cut = controller?.intercept(() => 'cut');
    await assert.rejects(ask(net, 'GET', '/version'), { code: 'ECONNRESET' });
  }
  {
    using _slow = controller?.intercept(
      () =>
        new Promise<undefined>((resolve) => {
          held = () => resolve(undefined);
          net.until(() => true).then(() => seen.push('held'));
        }),
    );
    const late = ask(net, 'GET', '/version').then(({ status }) => status);
    while (!seen.includes('held')) await new Promise((resolve) => setImmediate(resolve));
    held();
    assert.equal(await late, 200);
  }
  assert.deepEqual(seen, ['GET /edge/client/v1/services?limit=1 me', 'held']);
  assert.equal((await ask(net, 'GET', '/version')).status, 200);
});

test('logins end by time, and live on while they are used', { timeout }, async () => {
  await using net = await startTestNetwork({ timing: { apiSessionMs: 1_000 } });
  const me = net.addIdentity('me');
  const session = await logIn(net, me);
  const first = await ask(net, 'GET', '/current-api-session', { session });
  const second = await ask(net, 'GET', '/current-api-session', { session });
  assert.ok(Date.parse(second.body.data.expiresAt) >= Date.parse(first.body.data.expiresAt));
  await new Promise((resolve) => setTimeout(resolve, 1_050));
  assert.equal((await ask(net, 'GET', '/current-api-session', { session })).status, 401);
});

test('logins of both kinds can be expired, and identities removed', { timeout }, async () => {
  await using net = await startTestNetwork({ login: 'oidc' });
  const me = net.addIdentity('me');
  const legacy = await logIn(net, me);
  const { access_token: oidc, refresh_token: token } = await oidcLogin(net, me);
  net.expireApiSessions('me');
  for (const session of [legacy, oidc])
    assert.equal((await ask(net, 'GET', '/services', { as: me, session })).status, 401);
  assert.equal((await refresh(net, me, token)).status, 400);
  const again = await oidcLogin(net, me);
  net.removeIdentity('me');
  const body = { serviceId: 'x', type: 'Dial' };
  const stumbled = await ask(net, 'POST', '/sessions', { as: me, session: again.access_token, body });
  assert.deepEqual([stumbled.status, stumbled.body.error.code], [500, undefined]);
  assert.equal((await ask(net, 'POST', '/authenticate?method=cert', { as: me, body: {} })).status, 401);
});

test('OIDC is there only if it is offered', { timeout }, async () => {
  await using net = await startTestNetwork();
  assert.deepEqual((await ask(net, 'GET', '/version')).body.data.capabilities, []);
  assert.equal((await ask(net, 'GET', '/oidc/keys')).status, 404);
});

test('access tokens carry what a client and a router look for', { timeout }, async () => {
  await using net = await startTestNetwork({ login: 'oidc' });
  const me = net.addIdentity('me');
  const tokens = await oidcLogin(net, me);
  const access = claimsOf(tokens.access_token);
  assert.deepEqual([access.sub, access.z_t, access.iss], [me.id, 'a', `${net.controllerUrl}/oidc`]);
  assert.equal((access.z_cfs as string[]).length > 0, true);
  assert.deepEqual([claimsOf(tokens.id_token).nonce, claimsOf(tokens.refresh_token).z_t], ['some nonce', 'r']);
  assert.equal(claimsOf(tokens.refresh_token).z_asid, access.z_asid);
});

test('services are filtered, paged and shown with the configurations that were asked for', { timeout }, async () => {
  await using net = await startTestNetwork();
  const me = net.addIdentity('me');
  const config = { 'intercept.v1': { portRanges: [] }, 'host.v1': {} };
  net.addService('quo"te\\d', { config });
  for (const name of ['a', 'b', 'c']) net.addService(name, { dial: name === 'b' ? [] : 'all', bind: [] });
  const asked = { as: me, session: await logIn(net, me) };
  const named = await ask(
    net,
    'GET',
    `/services?filter=${encodeURIComponent('name="quo\\"te\\\\d"')}&configTypes=host.v1`,
    asked,
  );
  assert.deepEqual(
    named.body.data.map((one: { name: string; config: unknown }) => [one.name, one.config]),
    [['quo"te\\d', { 'host.v1': {} }]],
  );
  const page = await ask(net, 'GET', '/services?limit=2&offset=2', asked);
  assert.deepEqual(
    page.body.data.map(({ name }: { name: string }) => name),
    ['c'],
  );
  assert.deepEqual(page.body.meta.pagination, { limit: 2, offset: 2, totalCount: 3 });
  const odd = await ask(net, 'GET', '/services?filter=true', asked);
  assert.deepEqual([odd.status, odd.body.error.code], [400, 'INVALID_FILTER']);
  const before = (await ask(net, 'GET', '/current-api-session/service-updates', asked)).body.data.lastChangeAt;
  net.removeService('a');
  const after = (await ask(net, 'GET', '/current-api-session/service-updates', asked)).body.data.lastChangeAt;
  assert.ok(Date.parse(after) >= Date.parse(before));
  assert.equal((await ask(net, 'GET', '/services', asked)).body.meta.pagination.totalCount, 2);
});
