import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createController } from '../../src/controller/controller.ts';
import type { Controller, ServiceSession } from '../../src/controller/types.ts';
import { ZitiError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import type { Asked, Reply } from '../https-controller.ts';
import { manualClock } from '../manual-clock.ts';
import { recorded, recordedAnswer } from '../recorded.ts';
import { startRecordedController } from './recorded-controller.ts';

const LOGIN = ['POST /authenticate', 'GET /controllers'];

/** An error of ours that says what, who and what to do. */
const refused =
  (code: string, says: RegExp = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof ZitiError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, says);
    assert.match(error.message, /controller 127\.0\.0\.1:\d+/);
    assert.ok(error.hint, 'no hint');
    return true;
  };

const refusalWith = (code: string) =>
  recorded('refusals').find(({ body }) => (body as { error?: { code?: string } }).error?.code === code) ??
  assert.fail(code);

/** Replies in their order, then the recorded one. */
function inOrder(...replies: Reply[]): () => Reply | undefined {
  return () => replies.shift();
}

test('a login, a service, a session: each asked once, kept, and given up at the end', async () => {
  const it = await startRecordedController();
  const { controller, server } = it;
  const session = await controller.apiSession();
  assert.equal(session.kind, 'legacy');
  assert.equal(session.token, 'e44f878f-7edd-43d7-ba18-87f2c80916e4');
  assert.deepEqual(
    [session.id, session.identityId, session.identityName],
    ['cmwp10e5b007iqd7dy21mujh7', 'J1H8ULKHbr', 'trace-dialer'],
  );
  assert.ok(
    Math.abs(session.expiresAt.getTime() - Date.now() - 1_800_000) < 10_000,
    'the life is counted here, not by their clock',
  );

  const service = await controller.service('probe-svc');
  assert.deepEqual(service, {
    id: '3AUkfyJke5ypzBw4TAL1uH',
    name: 'probe-svc',
    permissions: ['Dial'],
    encryptionRequired: true,
    posturePassing: true,
  });
  assert.equal(await controller.service('probe-svc'), service);
  const dial = await controller.dialSession(service);
  assert.equal(await controller.dialSession(service), dial);
  assert.equal(dial.token, '846efc70-9d6b-4e95-bcd8-c51ab6fbae67');
  assert.equal(dial.apiSessionId, session.id);
  assert.deepEqual([dial.type, dial.serviceId, dial.serviceName], ['Dial', service.id, 'probe-svc']);
  assert.deepEqual(dial.routers, [
    { name: 'router-quickstart', urls: ['tls:127.0.0.1:13022'], online: true },
    { name: 'er2', urls: [], online: false },
  ]);
  assert.deepEqual(server.seen(), [...LOGIN, 'GET /services', 'POST /sessions']);
  assert.ok(server.asked.slice(1).every(({ headers }) => headers['zt-session'] === session.token));
  assert.ok(server.asked.every(({ client }) => client === 'id-1'));
  assert.deepEqual(
    controller.states().map(({ reachable }) => reachable),
    [true],
  );
  assert.equal(server.connections, 1);

  await controller.close();
  assert.equal(server.seen().at(-1), 'DELETE /current-api-session');
  await controller.close();
  assert.equal(server.asked.length, 5);
  for (const use of [controller.apiSession(), controller.service('x'), controller.bindSession(service)]) {
    await assert.rejects(use, { code: 'controller_closed' });
  }
  await it[Symbol.asyncDispose]();
});

test('the list of services is read in pages', async () => {
  await using it = await startRecordedController();
  it.says.set('GET /services', ({ path }: Asked) => {
    const offset = Number(new URL(path, 'https://x').searchParams.get('offset'));
    // A controller may give less than it was asked for.
    return recordedAnswer('legacy', 'GET', offset === 0 ? /limit=2&offset=0/ : /limit=2&offset=2/);
  });
  assert.deepEqual(
    (await it.controller.services()).map(({ name }) => name),
    ['probe-go', 'probe-svc', 'probe-plain'],
  );
  assert.deepEqual(
    it.server.asked.filter(({ path }) => path.includes('/services')).map(({ path }) => path.replace(/.*\?/, '')),
    ['limit=500&offset=0', 'limit=500&offset=2'],
  );
});

test('a list that has no end has one here', async () => {
  await using it = await startRecordedController();
  const data = Array.from({ length: 5000 }, (_, at) => ({
    id: `i${at}`,
    name: `n${at}`,
    permissions: ['Dial', 'Root', 7],
  }));
  it.says.set('GET /services', { body: { data, meta: { pagination: { totalCount: 1e9 } } } });
  await assert.rejects(
    it.controller.services(),
    refused('controller_answer_too_large', new RegExp(`more than ${LIMITS.services}`)),
  );
  it.says.set('GET /services', { body: { data: [], meta: { pagination: { totalCount: 1e9 } } } });
  assert.deepEqual(await it.controller.services(), []);
  it.says.set('GET /services', { body: { data: [7, {}, { id: 'i' }, data[0]], meta: {} } });
  const found = await it.controller.services();
  assert.deepEqual(found, [
    { id: 'i0', name: 'n0', permissions: ['Dial'], encryptionRequired: false, posturePassing: true },
  ]);
  it.says.set('GET /services', { body: { data: {}, meta: {} } });
  await assert.rejects(it.controller.services(), refused('controller_answer_invalid'));
});

test('a name is asked for as it is, quoted for the filter language, and only the same name is taken', async () => {
  await using it = await startRecordedController();
  await assert.rejects(it.controller.service('a "b" \\ or name="c"'), refused('service_not_found', /no service "a/));
  const filter = new URL(it.server.asked.at(-1)?.path ?? '', 'https://x').searchParams.get('filter');
  assert.equal(filter, 'name="a \\"b\\" \\\\ or name=\\"c\\""');
  it.says.set('GET /services', recordedAnswer('legacy', 'GET', /probe-svc%22/));
  await assert.rejects(it.controller.service('PROBE-SVC'), refused('service_not_found'));
});

test('a service is believed for five minutes, asked for again on demand, and forgotten when it is gone', async () => {
  const clock = manualClock();
  await using it = await startRecordedController({ clock });
  const asks = () => it.server.seen().filter((one) => one === 'GET /services').length;
  await it.controller.service('probe-svc');
  await clock.advance(299_999);
  await it.controller.service('probe-svc');
  assert.equal(asks(), 1);
  await clock.advance(1);
  await it.controller.service('probe-svc');
  assert.equal(asks(), 2);
  await it.controller.service('probe-svc', { refresh: true });
  assert.equal(asks(), 3);
  it.says.set('GET /services', recordedAnswer('legacy', 'GET', /no-such-service/));
  await assert.rejects(it.controller.service('probe-svc', { refresh: true }), refused('service_not_found'));
  await assert.rejects(it.controller.service('probe-svc'), refused('service_not_found'));
});

test('who asks for the same name at the same time shares the question, and may stop waiting', async () => {
  await using it = await startRecordedController();
  await it.controller.apiSession();
  const asks = () => it.server.seen().filter((one) => one === 'GET /services').length;
  const stop = new AbortController();
  const first = it.controller.service('probe-svc', { signal: stop.signal });
  const others = [1, 2, 3].map(() => it.controller.service('probe-svc'));
  stop.abort();
  await assert.rejects(first, { code: 'aborted' });
  assert.equal(new Set(await Promise.all(others)).size, 1);
  assert.equal(asks(), 1);
  await Promise.all([1, 2].map(() => it.controller.service('probe-svc', { refresh: true })));
  assert.equal(asks(), 2);
});

test('of very many names the oldest are forgotten', async () => {
  await using it = await startRecordedController();
  it.says.set('GET /services', ({ path }: Asked) => {
    const [, name = ''] = /name="(.*)"/.exec(new URL(path, 'https://x').searchParams.get('filter') ?? '') ?? [];
    return { body: { data: [{ id: name, name, permissions: [] }], meta: {} } };
  });
  for (let at = 0; at <= LIMITS.rememberedServices; at += 1) await it.controller.service(`n${at}`);
  const before = it.server.asked.length;
  await it.controller.service(`n${LIMITS.rememberedServices}`);
  assert.equal(it.server.asked.length, before);
  await it.controller.service('n0');
  assert.equal(it.server.asked.length, before + 1);
});

test('posture that every policy fails shows at the service', async () => {
  await using it = await startRecordedController();
  const service = (...isPassing: boolean[]) => {
    const postureQueries = isPassing.map((one) => ({ isPassing: one, policyId: 'p' }));
    it.says.set('GET /services', {
      body: { data: [{ id: 'i', name: 'n', permissions: [], postureQueries }], meta: {} },
    });
    return it.controller.service('n', { refresh: true });
  };
  assert.equal((await service(false, false)).posturePassing, false);
  assert.equal((await service(false, true)).posturePassing, true);
  assert.equal((await service()).posturePassing, true);
});

test('many dials at once share one session; a refused one is replaced once for all of them', async () => {
  await using it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  const sessions = await Promise.all(Array.from({ length: 20 }, () => it.controller.dialSession(service)));
  assert.equal(new Set(sessions).size, 1);
  const asks = () => it.server.seen().filter((one) => one === 'POST /sessions').length;
  assert.equal(asks(), 1);

  it.says.set('POST /sessions', () => renamed(recordedAnswer('legacy', 'POST', /sessions$/, 201), `token-${asks()}`));
  const [renew] = sessions as [ServiceSession];
  const renewed = await Promise.all(Array.from({ length: 20 }, () => it.controller.dialSession(service, { renew })));
  assert.equal(new Set(renewed).size, 1);
  assert.equal(renewed[0]?.token, 'token-2');
  // A latecomer with the same grievance gets the one that was made meanwhile.
  assert.equal(await it.controller.dialSession(service, { renew }), renewed[0]);
  assert.equal(asks(), 2);
});

function renamed(reply: ReturnType<typeof recordedAnswer>, token: string, edgeRouters?: unknown): Reply {
  const body = reply.body as { data: object };
  return {
    ...reply,
    body: { ...body, data: { ...body.data, token, ...(edgeRouters === undefined ? {} : { edgeRouters }) } },
  };
}

test('who stops waiting for a session does not take it from the others', async () => {
  await using it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  const stop = new AbortController();
  const first = it.controller.dialSession(service, { signal: stop.signal });
  const second = it.controller.dialSession(service);
  stop.abort();
  await assert.rejects(first, { code: 'aborted' });
  assert.equal((await second).type, 'Dial');
});

test('dial sessions are made anew after an hour, bind sessions for each who asks', async () => {
  const clock = manualClock();
  await using it = await startRecordedController({ clock });
  const service = await it.controller.service('probe-svc');
  const asks = (type: string) => it.server.asked.filter(({ body }) => body.includes(`"${type}"`)).length;
  await it.controller.dialSession(service);
  await clock.advance(3_600_000);
  await it.controller.dialSession(service);
  assert.equal(asks('Dial'), 2);
  const [a, b] = await Promise.all([it.controller.bindSession(service), it.controller.bindSession(service)]);
  assert.notEqual(a, b);
  assert.equal(a.type, 'Bind');
  assert.equal(asks('Bind'), 2);
});

test('a second token for a session that is there already, made for another one, is not used', async () => {
  await using it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (jti: string) => `${part({ alg: 'ES256' })}.${part({ jti })}.AA`;
  const answers = (id: string, jti: string) =>
    it.says.set('POST /sessions', { body: { data: { id, token: token(jti), edgeRouters: null }, meta: {} } });
  answers('one', 'one');
  const first = await it.controller.dialSession(service);
  answers('one', 'two');
  assert.equal((await it.controller.dialSession(service, { renew: first })).token, token('one'));
  answers('three', 'three');
  assert.equal((await it.controller.dialSession(service, { renew: first })).token, token('three'));
  answers('four', 'five');
  await assert.rejects(it.controller.bindSession(service), refused('controller_answer_invalid', /token of another/));
});

test('routers may be null, off line, without address, or in the older spelling', async () => {
  await using it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  const made = recordedAnswer('legacy', 'POST', /sessions$/, 201);
  const withNull = recorded('refusals').find(
    ({ body }) => (body as { data?: { edgeRouters?: unknown } }).data?.edgeRouters === null,
  );
  assert.ok(withNull);
  it.says.set('POST /sessions', withNull);
  assert.deepEqual((await it.controller.bindSession(service)).routers, []);
  it.says.set(
    'POST /sessions',
    renamed(made, 't', [
      { name: 'old', isOnline: true, urls: { tls: 'tls:er.example.com:3022', ws: 'ws://er.example.com:80' } },
      {
        name: 'both',
        isOnline: true,
        supportedProtocols: { wss: 'wss://[2001:DB8::1]:443/ws', tls: 'TLS://ER:3022', quic: 'quic:er:1' },
      },
      { name: 'disabled', isOnline: true, disabled: true, supportedProtocols: { tls: 'tls://er:0', dtls: 7 } },
      7,
    ]),
  );
  assert.deepEqual((await it.controller.bindSession(service)).routers, [
    { name: 'old', urls: ['tls:er.example.com:3022'], online: true },
    { name: 'both', urls: ['tls:er:3022', 'wss:[2001:db8::1]:443'], online: true },
    { name: 'disabled', urls: [], online: false },
  ]);
  const many = Array.from({ length: LIMITS.routersPerSession + 1 }, (_, at) => ({ name: `r${at}` }));
  it.says.set('POST /sessions', renamed(made, 't', many));
  assert.equal((await it.controller.bindSession(service)).routers.length, LIMITS.routersPerSession);
});

test('routers are refreshed by the session for an opaque token, by the service for a JWT', async () => {
  await using it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  const dial = await it.controller.dialSession(service);
  const list = (isOnline: boolean) => ({ body: { data: { edgeRouters: [{ name: 'r', isOnline }] }, meta: {} } });
  it.says.set(`GET /sessions/${dial.id}`, list(false));
  assert.deepEqual(await it.controller.refreshRouters(dial), [{ name: 'r', urls: [], online: false }]);
  // The kept session has learnt it.
  assert.deepEqual((await it.controller.dialSession(service)).routers, [{ name: 'r', urls: [], online: false }]);
  const jwt = { ...dial, token: 'eyJhbGciOiJub25lIn0.e30.AA' };
  it.says.set(`GET /services/${service.id}/edge-routers`, list(true));
  assert.equal((await it.controller.refreshRouters(jwt))[0]?.online, true);
  assert.ok(it.server.asked.every(({ headers }) => headers['session-token'] === undefined));

  it.says.set(`GET /sessions/${dial.id}`, recordedAnswer('legacy', 'DELETE', /sessions\//, 404));
  await assert.rejects(
    it.controller.refreshRouters(dial),
    refused('session_lost', /Dial session for service "probe-svc"/),
  );
  it.says.set(`GET /sessions/${dial.id}`, { status: 500, body: 'x' });
  await assert.rejects(it.controller.refreshRouters(dial), refused('controller_failed', /500/));
  it.says.set(`GET /sessions/${dial.id}`, { status: 400, body: { error: { code: 'X' } } });
  await assert.rejects(it.controller.refreshRouters(dial), refused('controller_refused', /400 X/));
});

test('each refusal of a session has its own code and says what to do', async () => {
  await using it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  const invalidField = { error: { code: 'INVALID_FIELD', message: 'm', cause: { field: 'serviceId', reason: 'r' } } };
  const cases: [Reply, string, RegExp][] = [
    [recordedAnswer('refusals', 'POST', /sessions$/, 404), 'service_not_found', /"probe-svc"/],
    [{ status: 400, body: invalidField }, 'service_not_permitted', /no Dial session.*INVALID_FIELD: r/],
    [refusalWith('COULD_NOT_VALIDATE'), 'service_not_permitted', /400 COULD_NOT_VALIDATE: service not found/],
    [refusalWith('NO_EDGE_ROUTERS_AVAILABLE'), 'no_edge_routers', /NO_EDGE_ROUTERS_AVAILABLE/],
    [{ status: 409, body: { error: { code: 'INVALID_POSTURE', message: 'm' } } }, 'posture_failed', /INVALID_POSTURE/],
    [refusalWith('COULD_NOT_PARSE_BODY'), 'controller_refused', /unexpected EOF/],
    [{ status: 413, body: { error: { code: 'REQUEST_ENTITY_TOO_LARGE' } } }, 'controller_refused', /413/],
    [{ status: 429, body: { error: { code: 'RATE_LIMITED' } } }, 'controller_busy', /429 RATE_LIMITED/],
    [{ status: 429, body: { error: { code: 'SERVER_TOO_MANY_REQUESTS' } } }, 'controller_busy', /TOO_MANY/],
    [{ status: 503, body: { error: { code: 'CLUSTER_NO_LEADER' } } }, 'controller_busy', /CLUSTER_NO_LEADER/],
    [{ status: 500, body: '' }, 'controller_failed', /500/],
    [{ status: 201, body: { data: { id: 'i', token: '' } } }, 'controller_answer_invalid', /without id or token/],
    [{ status: 201, body: 'no json' }, 'controller_answer_invalid', /no JSON/],
  ];
  for (const [reply, code, says] of cases) {
    it.says.set('POST /sessions', reply);
    await assert.rejects(it.controller.dialSession(service), refused(code, says), code);
  }
  it.says.delete('POST /sessions');
  assert.equal((await it.controller.dialSession(service)).type, 'Dial', 'no refusal is kept');
});

test('a service that was made anew under its name, or permitted meanwhile, is used as it is now', async () => {
  await using it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  const old = { ...service, id: 'old' };
  const made = await it.controller.dialSession(old);
  assert.equal(made.service.id, service.id);
  assert.equal(made.serviceId, service.id);

  it.says.set('POST /sessions', inOrder(refusalWith('COULD_NOT_VALIDATE')));
  assert.equal((await it.controller.dialSession(service, { renew: made })).type, 'Dial');
  it.says.set('GET /services', recordedAnswer('legacy', 'GET', /no-such-service/));
  await assert.rejects(it.controller.bindSession({ ...service, id: 'gone' }), refused('service_not_found'));
});

test('after a 401 the login is made anew and the call repeated, once', async () => {
  await using it = await startRecordedController();
  const renewed: string[] = [];
  it.controller.onRenewed((session, kind) => renewed.push(`${session.token} ${kind}`));
  await it.controller.apiSession();
  const dead = recordedAnswer('legacy', 'GET', /services\?limit=1$/, 401);
  it.says.set('POST /authenticate', () => renamed(recordedAnswer('legacy', 'POST', /authenticate/), 'second'));
  it.says.set('GET /services', inOrder(dead));
  assert.equal((await it.controller.service('probe-svc')).name, 'probe-svc');
  assert.deepEqual(it.server.seen(), [...LOGIN, 'GET /services', ...LOGIN, 'GET /services']);
  assert.equal(it.server.asked.at(-1)?.headers['zt-session'], 'second');
  assert.deepEqual(renewed, ['second new-login']);

  it.says.set('GET /services', dead);
  await assert.rejects(
    it.controller.service('x'),
    refused('login_lost', /does not accept a login it just gave.*401 UNAUTHORIZED/),
  );
});

test('an identity that is refused is told why, and not asked again and again', async () => {
  const clock = manualClock(Date.now());
  await using it = await startRecordedController({ clock });
  it.says.set('POST /authenticate', refusalWith('INVALID_AUTH'));
  await assert.rejects(it.controller.apiSession(), (error: ZitiError) => {
    assert.match(error.message, /refused identity id-1: legacy login: 401 INVALID_AUTH: .*; oidc login: 404 NOT_FOUND/);
    assert.match(error.hint ?? '', /disabled or removed/);
    return refused('login_refused')(error);
  });
  assert.deepEqual(it.server.seen(), ['POST /authenticate', 'GET /oidc/authorize']);
  await assert.rejects(it.controller.service('x'), refused('login_refused'));
  assert.equal(it.server.asked.length, 2);
  it.says.delete('POST /authenticate');
  await clock.advance(1000);
  assert.equal((await it.controller.apiSession()).kind, 'legacy');
});

test('an identity whose certificate has expired is told so', async () => {
  await using it = await startRecordedController();
  it.says.set('POST /authenticate', refusalWith('INVALID_AUTH'));
  const controller = createController(it.server.identity({ notAfter: new Date(Date.now() - 86_400_000) }));
  await assert.rejects(controller.apiSession(), (error: ZitiError) =>
    /certificate expired on 20\d\d-/.test(error.hint ?? ''),
  );
  await controller.close();
});

test('logins that are half done, malformed, busy or failing have codes of their own', async () => {
  await using it = await startRecordedController({ login: 'legacy' });
  const good = recordedAnswer('legacy', 'POST', /authenticate/).body as { data: object };
  const cases: [Reply, string, RegExp][] = [
    [{ body: { data: { ...good.data, authQueries: [{ typeId: 'MFA' }] } } }, 'login_incomplete', /second factor/],
    [{ body: { data: { ...good.data, token: undefined } } }, 'controller_answer_invalid', /without token/],
    [{ body: {} }, 'controller_answer_invalid', /without token/],
    [{ status: 429, body: { error: { code: 'RATE_LIMITED' } } }, 'controller_busy', /while logging in: 429/],
    [{ status: 503, body: { error: { code: 'CLUSTER_NO_LEADER' } } }, 'controller_busy', /503/],
    [{ status: 500, body: '' }, 'controller_failed', /while logging in: 500/],
    [recorded('refusals').find(({ status }) => status === 606) ?? 'cut', 'login_refused', /606/],
    ['cut', 'controller_unreachable', /ECONNRESET/],
  ];
  for (const [reply, code, says] of cases) {
    it.says.set('POST /authenticate', reply);
    const clock = manualClock();
    const controller = createController(it.server.identity(), { login: 'legacy', busyPausesMs: [], clock });
    await assert.rejects(controller.apiSession(), refused(code, says), code);
    await controller.close();
  }
});

test('a legacy login is refreshed by asking for it, and made anew when it is gone', async () => {
  const clock = manualClock();
  await using it = await startRecordedController({ clock });
  await it.controller.apiSession();
  const first = renewal(it.controller);
  await clock.advance(900_000);
  assert.equal(await first, 'legacy refreshed');
  assert.deepEqual(it.server.seen().slice(0, 3), [...LOGIN, 'GET /current-api-session']);
  it.says.set('GET /current-api-session', recordedAnswer('legacy', 'GET', /current-api-session$/, 401));
  const second = renewal(it.controller);
  await clock.advance(900_000);
  assert.equal(await second, 'legacy new-login');
});

test('a session of another login is not used, and a router that refuses a login gets a new one', async () => {
  await using it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  const session = await it.controller.apiSession();
  const dial = await it.controller.dialSession(service);
  it.says.set('POST /authenticate', () => {
    const reply = renamed(recordedAnswer('legacy', 'POST', /authenticate/), 'second') as { body: { data: object } };
    return { ...reply, body: { data: { ...reply.body.data, id: 'api-2' } } };
  });
  it.controller.invalidate(session);
  const next = await it.controller.dialSession(service);
  assert.notEqual(next, dial);
  assert.equal(next.apiSessionId, 'api-2');
});

test('a controller that is deaf when we leave does not keep us', async () => {
  const it = await startRecordedController();
  await it.controller.apiSession();
  it.says.set('DELETE /current-api-session', 'hang');
  const begin = performance.now();
  await it.controller.close();
  assert.ok(performance.now() - begin < 4000);
  await it[Symbol.asyncDispose]();
});

test('what is under way when we leave ends with it', async () => {
  const it = await startRecordedController();
  const service = await it.controller.service('probe-svc');
  it.says.set('POST /sessions', 'hang');
  it.says.set('GET /services', 'hang');
  const under = [it.controller.dialSession(service), it.controller.bindSession(service), it.controller.services()];
  const ends = under.map((one) => assert.rejects(one, { code: 'controller_closed' }));
  while (it.server.asked.length < 6) await new Promise((resolve) => setImmediate(resolve));
  await it.controller.close();
  await Promise.all(ends);
  await it[Symbol.asyncDispose]();
});

test('what is said of us when logging in is our name, our version and the kind of machine', async () => {
  await using it = await startRecordedController();
  await it.controller.apiSession();
  const said = JSON.parse(it.server.asked[0]?.body ?? '');
  assert.deepEqual(said, {
    sdkInfo: { type: 'mcp-overlay', version: said.sdkInfo.version },
    envInfo: { os: process.platform, arch: process.arch },
  });
});

/** The next renewal that is told: "legacy refreshed". */
function renewal(controller: Controller): Promise<string> {
  return new Promise((resolve) => {
    const stop = controller.onRenewed((session, kind) => {
      stop();
      resolve(`${session.kind} ${kind}`);
    });
  });
}
