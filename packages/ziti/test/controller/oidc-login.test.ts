import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Login, LoginOutcome, LoginTalk } from '../../src/controller/login.ts';
import { loginOidc, logoutOidc, refreshOidc } from '../../src/controller/oidc-login.ts';
import type { RestAnswer, RestRequest } from '../../src/controller/rest-client.ts';
import { ZitiError } from '../../src/errors.ts';
import { RECORDED_AT, type RecordedExchange, recorded, recordedAnswer } from '../recorded.ts';

const CONTROLLER = 'https://127.0.0.1:11280/edge/client/v1';
/** Verifier, state, nonce of the recorded login. */
const SECRETS = ['7sHmYVyTk3_pLPN6keg-fVIZ6Jr2cTxx6bftEqaM8BA', '2xr_pQx2b9k_-wuG0pIQ4A', '-Vn0mtXeoN5NaAt4hKNvMw'];

type Answer = { readonly status: number; readonly headers?: RecordedExchange['headers']; readonly body?: unknown };

/** The recorded controller, no sockets between: each request must be one that was recorded. `override` speaks first. */
function replay(override: (request: RestRequest) => Answer | undefined = () => undefined) {
  const sent: RestRequest[] = [];
  const send = async (request: RestRequest): Promise<RestAnswer> => {
    sent.push(request);
    const said = override(request) ?? recordedFor(request);
    const body = typeof said.body === 'string' ? said.body : JSON.stringify(said.body ?? '');
    return { status: said.status, headers: said.headers ?? {}, body: Buffer.from(body) };
  };
  const client = { send, close: () => {} };
  const talk: LoginTalk = {
    client,
    controller: CONTROLLER,
    now: () => 5000,
    wall: () => RECORDED_AT,
    signal: undefined,
  };
  return { sent, talk };
}

function recordedFor({ method, url, body }: RestRequest): Answer {
  const path = url.slice('https://127.0.0.1:11280'.length);
  const found = recorded('oidc').find((one) => {
    if (one.method !== method || one.path !== path) return false;
    // Forms are long in the recordings; what tells them apart is the kind of grant.
    const form = new URLSearchParams(body?.text ?? '');
    if (!path.endsWith('/token')) return one.status < 400;
    return (form.get('grant_type') === 'refresh_token') === ('refresh_token' in (one.body as object) && !isFirst(one));
  });
  if (found === undefined) throw new Error(`not recorded: ${method} ${path}`);
  return found;
}

const isFirst = (one: RecordedExchange): boolean => one === recordedAnswer('oidc', 'POST', /oauth\/token/);

/** The three random values of the recorded login. */
function secrets(): (size: number) => Buffer {
  const left = [...SECRETS];
  return (size) => {
    const bytes = Buffer.from(left.shift() ?? '', 'base64url');
    assert.equal(bytes.length, size);
    return bytes;
  };
}

function loginIn(outcome: LoginOutcome): Login {
  assert.ok('login' in outcome, JSON.stringify(outcome));
  return outcome.login;
}

const at =
  (path: string) =>
  ({ url }: RestRequest) =>
    new URL(url).pathname === path;
const login = (talk: LoginTalk) => loginOidc(talk, secrets());

test('the recorded login is repeated request by request, and its tokens are checked and taken', async () => {
  const { sent, talk } = replay();
  const made = loginIn(await login(talk));
  assert.deepEqual(
    sent.map(({ method, url }) => `${method} ${new URL(url).pathname}`),
    [
      'GET /oidc/authorize',
      'POST /oidc/login/cert',
      'GET /oidc/authorize/callback',
      'POST /oidc/oauth/token',
      'GET /oidc/keys',
    ],
  );
  assert.equal(
    sent[0]?.url,
    `https://127.0.0.1:11280${recordedAnswer('oidc', 'GET', /authorize\?client_id=native/, 302).path}`,
  );
  const form = Object.fromEntries(new URLSearchParams(sent[3]?.body?.text));
  assert.equal(form.code_verifier, SECRETS[0]);
  assert.ok(form.code?.startsWith('H-huCxrPKZIOyI9ruq42'));
  const { token, ...session } = made.session;
  assert.ok(token.startsWith('eyJ'));
  assert.deepEqual(session, {
    kind: 'oidc',
    id: '890fa5b3-7acf-45ce-aee5-720708325b68',
    identityId: 'J1H8ULKHbr',
    identityName: 'trace-dialer',
    expiresAt: new Date(RECORDED_AT + 1_799_000),
    controller: CONTROLLER,
  });
  assert.equal(made.endsAt, 5000 + 1_799_000);
  assert.ok(made.refreshToken?.startsWith('eyJ'));
});

test('a refresh keeps the login and its name and rotates the token; the old one is refused', async () => {
  const { sent, talk } = replay();
  const first = loginIn(await login(talk));
  const second = loginIn(await refreshOidc(talk, first));
  assert.equal(new URLSearchParams(sent.at(-1)?.body?.text).get('refresh_token'), first.refreshToken);
  assert.equal(second.session.id, first.session.id);
  assert.equal(second.session.identityName, 'trace-dialer');
  assert.notEqual(second.session.token, first.session.token);
  assert.ok(second.refreshToken !== undefined && second.refreshToken !== first.refreshToken);

  const { body } =
    recorded('oidc').find(({ body }) => JSON.stringify(body).includes('revocation already exists')) ?? {};
  const { talk: again } = replay(() => ({ status: 400, body }));
  const outcome = await refreshOidc(again, first);
  assert.ok('refusal' in outcome && outcome.refusal.code === 'server_error');
});

test('every secret of a login is new', async () => {
  const seen = new Set<string>();
  for (let times = 0; times < 3; times += 1) {
    const { sent, talk } = replay(() => ({ status: 404 }));
    await loginOidc(talk);
    const query = new URL(sent[0]?.url ?? '').searchParams;
    for (const name of ['state', 'nonce', 'code_challenge']) seen.add(query.get(name) ?? '');
    assert.equal(query.get('code_challenge')?.length, 43);
  }
  assert.equal(seen.size, 9);
});

test('a login stays on its controller, whatever host a redirect names', async () => {
  const { sent, talk } = replay((request) => {
    if (!at('/oidc/login/cert')(request)) return undefined;
    const location = recordedAnswer('oidc', 'POST', /login\/cert/, 302).headers.location ?? '';
    return { status: 302, headers: { location: location.replace('127.0.0.1:11280', 'evil.example') } };
  });
  loginIn(await login(talk));
  assert.ok(sent.every(({ url }) => url.startsWith('https://127.0.0.1:11280/oidc/')));
});

const untrusted = (says: RegExp) => (error: unknown) =>
  error instanceof ZitiError &&
  error.code === 'login_untrusted' &&
  says.test(error.message) &&
  error.hint !== undefined;

test("an answer to somebody else's login is not taken", async () => {
  const callback = recordedAnswer('oidc', 'GET', /authorize\/callback/, 302).headers.location ?? '';
  const backTo = (location: string) =>
    replay((request) => (at('/oidc/authorize/callback')(request) ? { status: 302, headers: { location } } : undefined))
      .talk;
  await assert.rejects(login(backTo(callback.replace(/state=.*/, 'state=x'))), untrusted(/state of another login/));
  await assert.rejects(login(backTo(callback.replace(/&state=.*/, ''))), untrusted(/state of another login/));
  await assert.rejects(login(backTo('https://127.0.0.1:11280/elsewhere')), untrusted(/leaves the login/));
  await assert.rejects(login(backTo(callback.replace(/code=[^&]*&/, ''))), { code: 'controller_answer_invalid' });
  await assert.rejects(login(backTo('/oidc/authorize/callback?again')), {
    code: 'controller_answer_invalid',
    message: /without end/,
  });
  // The nonce of the recording does not fit random ones.
  let stateSeen = '';
  await assert.rejects(
    loginOidc(
      replay((request) => {
        const state = new URL(request.url).searchParams.get('state');
        if (state) stateSeen = state;
        if (at('/oidc/authorize')(request)) return recordedAnswer('oidc', 'GET', /authorize\?client_id=native/, 302);
        return at('/oidc/authorize/callback')(request)
          ? { status: 302, headers: { location: callback.replace(/state=.*/, `state=${stateSeen}`) } }
          : undefined;
      }).talk,
    ),
    untrusted(/id token of another login/),
  );
});

test('tokens without what we need are not taken', async () => {
  const { body } = recordedAnswer('oidc', 'POST', /oauth\/token/);
  const first = loginIn(await login(replay().talk));
  const withTokens = (changes: object) =>
    replay((request) =>
      at('/oidc/oauth/token')(request) ? { status: 200, body: { ...(body as object), ...changes } } : undefined,
    ).talk;
  await assert.rejects(login(withTokens({ access_token: undefined })), { code: 'controller_answer_invalid' });
  await assert.rejects(login(withTokens({ access_token: 'opaque' })), { code: 'controller_answer_invalid' });
  await assert.rejects(login(withTokens({ id_token: undefined })), untrusted(/no id token/));
  const withoutKeys = replay((request) =>
    at('/oidc/keys')(request) ? { status: 200, body: { keys: [] } } : undefined,
  );
  await assert.rejects(login(withoutKeys.talk), untrusted(/wrong signature/));

  // What is left out is found elsewhere: the life in the token, the refresh token in the one before.
  const frugal = loginIn(await refreshOidc(withTokens({ expires_in: undefined, refresh_token: undefined }), first));
  assert.equal(frugal.endsAt, 5000 + 1_800_000);
  assert.equal(frugal.refreshToken, first.refreshToken);
  const other = { ...first, session: { ...first.session, identityId: 'somebody' } };
  await assert.rejects(refreshOidc(withTokens({}), other), untrusted(/another identity/));
});

test('each recorded refusal is a refusal, at each step', async () => {
  const outcomes: [RestRequest['method'], string, Answer, string][] = [
    ['GET', '/oidc/authorize', recordedAnswer('oidc', 'GET', /client_id=nope/, 400), '400 '],
    ['GET', '/oidc/authorize', { status: 404 }, '404 '],
    [
      'GET',
      '/oidc/authorize',
      { status: 302, headers: { location: 'http://localhost:8080/auth/callback?error=access_denied' } },
      '401 access_denied',
    ],
    ['GET', '/oidc/authorize', { status: 302, headers: { location: 'http://[' } }, '302 '],
    ['POST', '/oidc/login/cert', recordedAnswer('oidc', 'POST', /login\/cert/, 401), '401 '],
    [
      'GET',
      '/oidc/authorize/callback',
      { status: 302, headers: { location: 'http://localhost:8080/auth/callback?error=server_error' } },
      '401 server_error',
    ],
    ['POST', '/oidc/oauth/token', recordedAnswer('oidc', 'POST', /oauth\/token/, 400), '400 server_error'],
    ['GET', '/oidc/keys', { status: 500 }, '500 '],
  ];
  for (const [method, path, said, expected] of outcomes) {
    const { talk } = replay((request) => (request.method === method && at(path)(request) ? said : undefined));
    const outcome = await login(talk);
    assert.ok('refusal' in outcome, path);
    assert.equal(`${outcome.refusal.status} ${outcome.refusal.code ?? ''}`, expected);
  }
  const { talk } = replay((request) =>
    at('/oidc/authorize')(request) ? { status: 302, headers: { location: '/oidc/login/cert' } } : undefined,
  );
  await assert.rejects(login(talk), { code: 'controller_answer_invalid', message: /without request id/ });
});

test('a second factor is refused with what to do', async () => {
  const { talk } = replay((request) =>
    at('/oidc/login/cert')(request)
      ? { status: 200, headers: { 'totp-required': 'true' }, body: { authQueries: [{}] } }
      : undefined,
  );
  await assert.rejects(
    login(talk),
    (error: ZitiError) => error.code === 'login_incomplete' && /policy/.test(error.hint ?? ''),
  );
});

test('leaving revokes the refresh token', async () => {
  const { sent, talk } = replay((request) => (at('/oidc/revoke')(request) ? { status: 200 } : undefined));
  const made = loginIn(await login(talk));
  await logoutOidc(talk, made, 100);
  const { url, body, timeoutMs } = sent.at(-1) ?? assert.fail();
  assert.equal(new URL(url).pathname, '/oidc/revoke');
  assert.equal(new URLSearchParams(body?.text).get('token'), made.refreshToken);
  assert.equal(timeoutMs, 100);
});
