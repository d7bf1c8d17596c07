// Requests that were recorded with a real controller, made to ours: status, error codes and the fields of answers are the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestNetwork, type TestIdentity, type TestNetwork } from '../../src/testing/index.ts';
import { type RecordedExchange, recordedAnswer } from '../recorded.ts';
import { type Answered, ask, form, logIn } from './ask.ts';
import { authorize, exchange, oidcLogin, refresh, startFlow } from './oidc-flow.ts';

const timeout = 30_000;

test('a legacy login and everything a client reads with it', { timeout }, async () => {
  await using rig = await network('legacy');
  const { net, dialer, serviceId } = rig;
  like(await ask(net, 'GET', '/version'), recordedAnswer('legacy', 'GET', /version$/));
  const login = await ask(net, 'POST', '/authenticate?method=cert', { as: dialer, body: { configTypes: [] } });
  like(login, recordedAnswer('legacy', 'POST', /authenticate/));
  assert.equal(login.headers['zt-session'], login.body.data.token);
  const session = login.body.data.token;
  const asked = { as: dialer, session };
  for (const [path, pattern] of [
    ['/current-api-session', /current-api-session$/],
    ['/current-identity', /current-identity$/],
    ['/services?limit=500&offset=0', /limit=500/],
    ['/services?filter=name%3D%22echo%22', /filter=name%3D%22probe/],
    ['/services?filter=name%3D%22no-such-service%22', /no-such-service/],
    [`/services/${serviceId}`, /services\/[^/]+$/],
    ['/current-api-session/service-updates', /service-updates/],
    ['/current-identity/edge-routers?limit=25&offset=0', /current-identity\/edge-routers/],
    [`/services/${serviceId}/terminators`, /terminators$/],
    ['/controllers', /controllers$/],
    ['/external-jwt-signers', /external-jwt-signers/],
  ] as const) {
    like(await ask(net, 'GET', path, asked), recordedAnswer('legacy', 'GET', pattern));
  }
  like(await ask(net, 'GET', '/no-such-path', asked), recordedAnswer('legacy', 'GET', /no-such-path/, 404));
});

test('service sessions: made, read, made again, deleted', { timeout }, async () => {
  await using rig = await network('legacy');
  const { net, dialer, serviceId } = rig;
  const asked = { as: dialer, session: await logIn(net, dialer) };
  const body = { serviceId, type: 'Dial' };
  const made = await ask(net, 'POST', '/sessions', { ...asked, body });
  like(made, recordedAnswer('legacy', 'POST', /sessions$/, 201));
  const again = await ask(net, 'POST', '/sessions', { ...asked, body });
  assert.equal(again.body.data.token, made.body.data.token, 'one login has one Dial session for a service');
  const { id } = made.body.data;
  like(await ask(net, 'GET', `/sessions/${id}`, asked), recordedAnswer('legacy', 'GET', /sessions\/.+$/));
  like(await ask(net, 'GET', '/sessions', asked), recordedAnswer('legacy', 'GET', /sessions$/));
  const headers = { 'session-token': made.body.data.token };
  const refused = recordedAnswer('legacy', 'GET', /edge-routers$/, 401);
  like(await ask(net, 'GET', `/services/${serviceId}/edge-routers`, { ...asked, headers }), refused);
  like(await ask(net, 'DELETE', `/sessions/${id}`, asked), recordedAnswer('legacy', 'DELETE', /sessions\/.+$/));
  like(await ask(net, 'DELETE', `/sessions/${id}`, asked), recordedAnswer('legacy', 'DELETE', /sessions\/.+$/, 404));
  like(await ask(net, 'DELETE', '/current-api-session', asked), recordedAnswer('legacy', 'DELETE', /current-api/));
  like(await ask(net, 'GET', '/current-api-session', asked), recordedAnswer('legacy', 'GET', /current-api/, 401));
});

test('refusals', { timeout }, async () => {
  await using rig = await network('legacy');
  const { net, dialer, serviceId } = rig;
  const nobody = net.addIdentity('nobody');
  const asked = { as: dialer, session: await logIn(net, dialer) };
  const stranger = { as: nobody, session: await logIn(net, nobody) };
  const unseen = recordedAnswer('refusals', 'POST', /sessions$/, 404);
  like(await ask(net, 'POST', '/sessions', { ...stranger, body: { serviceId, type: 'Dial' } }), unseen);
  like(
    await ask(net, 'GET', `/services/${serviceId}`, stranger),
    recordedAnswer('refusals', 'GET', /services\/.+/, 404),
  );
  const noRight = recordedAnswer('refusals', 'POST', /sessions$/, 400);
  like(await ask(net, 'POST', '/sessions', { ...asked, body: { serviceId, type: 'Bind' } }), noRight);
  like(await ask(net, 'POST', '/sessions', { ...asked, body: { serviceId: 'nope', type: 'Dial' } }), unseen);
  const badType = await ask(net, 'POST', '/sessions', { ...asked, body: { serviceId, type: 'Foo' } });
  assert.deepEqual([badType.status, badType.body.error.cause.field], [400, 'type']);
  like(await ask(net, 'POST', '/sessions', { ...asked, body: { type: 'Dial' } }), unseen);
  const broken = await ask(net, 'POST', '/sessions', { ...asked, body: '{' });
  assert.deepEqual([broken.status, broken.body.error.code], [400, 'COULD_NOT_PARSE_BODY']);
  const unknown = recordedAnswer('refusals', 'GET', /services$/, 401);
  like(await ask(net, 'GET', '/services', { as: dialer, session: '00000000-0000-0000-0000-000000000000' }), unknown);
  for (const session of [undefined, 'ey.def.ghi']) {
    const answer = await ask(net, 'GET', '/services', { as: dialer, session });
    assert.deepEqual([answer.status, answer.body.error.code], [401, 'UNAUTHORIZED']);
  }
  const badLogin = recordedAnswer('refusals', 'POST', /method=cert/, 401);
  const foreign = net.pki.issue({ commonName: 'foreign', use: 'client' });
  const as = { certPem: foreign.chainPem, keyPem: foreign.keyPem ?? '' };
  like(await ask(net, 'POST', '/authenticate?method=cert', { as, body: {} }), badLogin);
  like(await ask(net, 'POST', '/authenticate?method=cert', { body: {} }), badLogin);
  const badMethod = recordedAnswer('refusals', 'POST', /method=nope/, 606);
  like(await ask(net, 'POST', '/authenticate?method=nope', { as: dialer, body: {} }), badMethod);
});

test('without a router for a service: an old session lists null, a new one is refused', { timeout }, async () => {
  await using rig = await network('legacy');
  const { net, dialer, serviceId } = rig;
  const asked = { as: dialer, session: await logIn(net, dialer) };
  const body = { serviceId, type: 'Dial' };
  await ask(net, 'POST', '/sessions', { ...asked, body });
  net.setPermissions('echo', { dial: ['dialer'], bind: [], routers: [] });
  const old = await ask(net, 'POST', '/sessions', { ...asked, body });
  assert.deepEqual([old.status, old.body.data.edgeRouters], [201, null]);
  const fresh = await ask(net, 'POST', '/sessions', { as: dialer, session: await logIn(net, dialer), body });
  assert.deepEqual([fresh.status, fresh.body.error.code], [400, 'NO_EDGE_ROUTERS_AVAILABLE']);
});

test('the OIDC login, its tokens and what they open', { timeout }, async () => {
  await using rig = await network('oidc');
  const { net, dialer, serviceId } = rig;
  const { authorized, loggedIn, called, code, verifier } = await startFlow(net, dialer);
  like(authorized, recordedAnswer('oidc', 'GET', /authorize\?/, 302));
  like(loggedIn, recordedAnswer('oidc', 'POST', /login\/cert/, 302));
  like(called, recordedAnswer('oidc', 'GET', /authorize\/callback/, 302));
  const tokens = await exchange(net, dialer, code, verifier);
  like(tokens, recordedAnswer('oidc', 'POST', /oauth\/token/));
  const asked = { as: dialer, session: tokens.body.access_token };
  const made = await ask(net, 'POST', '/sessions', { ...asked, body: { serviceId, type: 'Dial' } });
  like(made, recordedAnswer('oidc', 'POST', /sessions$/, 201));
  const routers = recordedAnswer('oidc', 'GET', /edge-routers$/);
  like(await ask(net, 'GET', `/services/${serviceId}/edge-routers`, asked), routers);
  const unknown = recordedAnswer('oidc', 'GET', /sessions\//, 404);
  like(await ask(net, 'GET', `/sessions/${made.body.data.id}`, asked), unknown);
  const keys = await ask(net, 'GET', '/oidc/keys');
  assert.equal(keys.body.keys[0].use, recordedAnswer('oidc', 'GET', /keys/).status === 200 ? 'sig' : '');
});

test('OIDC refreshes rotate, and failures are those of a real controller', { timeout }, async () => {
  await using rig = await network('oidc');
  const { net, dialer } = rig;
  const { refresh_token: token } = await oidcLogin(net, dialer);
  const refreshed = await refresh(net, dialer, token);
  assert.equal(refreshed.status, 200);
  assert.notEqual(refreshed.body.refresh_token, token);
  const reused = await refresh(net, dialer, token);
  assert.deepEqual([reused.status, reused.body.error], [400, 'server_error']);
  like(await exchange(net, dialer, 'nope', 'x'), recordedAnswer('oidc', 'POST', /oauth\/token/, 400));
  const refused = recordedAnswer('oidc', 'POST', /login\/cert/, 401);
  like(await ask(net, 'POST', '/oidc/login/cert', { as: dialer, ...form({ id: 'nope' }) }), refused);
  const noClient = recordedAnswer('oidc', 'GET', /client_id=nope/, 400);
  like(await ask(net, 'GET', '/oidc/authorize?client_id=nope&response_type=code', { as: dialer }), noClient);
  const bare = await authorize(net, undefined, 'x');
  assert.match(bare.headers.location ?? '', /^\/oidc\/login\/username\?authRequestID=/);
  const id = /authRequestID=(.+)$/.exec(bare.headers.location ?? '')?.[1] ?? '';
  like(await ask(net, 'POST', '/oidc/login/cert', form({ id })), refused);
});

/** The same status, media type and shape: every member of the recorded answer is there, with the same type. */
function like(answer: Answered, recorded: RecordedExchange): void {
  const asked = `${recorded.method} ${recorded.path}`;
  assert.equal(answer.status, recorded.status, asked);
  const media = recorded.headers['content-type'];
  if (media !== undefined) assert.equal(answer.headers['content-type'], media, asked);
  if (recorded.status === 302) {
    const pattern = (url = '') => url.replace(/(=)[^&]+/g, '$1').replace(/^https:\/\/[^/]+/, '');
    assert.equal(pattern(answer.headers.location), pattern(recorded.headers.location), asked);
  } else fits(answer.body, recorded.body, asked);
}

/** Members that no client follows. */
const LEFT_OUT = new Set([
  '_links',
  'filterableFields',
  'edge-management',
  'edge-oidc',
  'health-checks',
  'envInfo',
  'sdkInfo',
]);

function fits(own: unknown, recorded: unknown, at: string): void {
  if (recorded === null || recorded === '…') return;
  assert.equal(Array.isArray(own), Array.isArray(recorded), at);
  if (Array.isArray(recorded)) {
    if (recorded.length > 0 && Array.isArray(own) && own.length > 0) fits(own[0], recorded[0], `${at}[0]`);
    return;
  }
  // What was null in one and a list in the other is both, for a client.
  if (own !== null) assert.equal(typeof own, typeof recorded, at);
  if (typeof recorded !== 'object' || own === null) {
    if (/\.(code|reason|field)$/.test(at)) assert.equal(own, recorded, at);
    return;
  }
  for (const [key, value] of Object.entries(recorded)) {
    if (LEFT_OUT.has(key)) continue;
    assert.ok(key in (own as object), `${at}.${key} is missing`);
    fits((own as Record<string, unknown>)[key], value, `${at}.${key}`);
  }
}

interface Rig extends AsyncDisposable {
  readonly net: TestNetwork;
  readonly dialer: TestIdentity;
  readonly serviceId: string;
}

async function network(login: 'legacy' | 'oidc'): Promise<Rig> {
  const net = await startTestNetwork({ login });
  const { id } = net.addService('echo', { dial: ['dialer'], bind: [] });
  net.addService('other', { dial: ['dialer'] });
  const dialer = net.addIdentity('dialer');
  return { net, dialer, serviceId: id, [Symbol.asyncDispose]: () => net.close() };
}
