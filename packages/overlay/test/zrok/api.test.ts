// Calls to a controller: what is sent, what each refusal becomes, and that a hostile or dead one costs bounded time and memory.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import type { OverlayErrorCode } from '../../src/index.ts';
import { OverlayError } from '../../src/index.ts';
import { coded, type FakeZrok, startFakeZrok } from '../../src/testing/index.ts';
import { ZrokApi } from '../../src/zrok/api.ts';
import { MAX_ANSWER_BYTES } from '../../src/zrok/limits.ts';
import { zrokRest } from '../../src/zrok/rest.ts';

interface House extends AsyncDisposable {
  readonly fake: FakeZrok;
  readonly api: ZrokApi;
  readonly envZId: string;
}

async function house(options: { maxEnvironments?: number } = {}): Promise<House> {
  const fake = await startFakeZrok(options);
  const api = new ZrokApi(fake.url, fake.addAccount('a@example.com'));
  const { envZId } = await api.enable({ description: 'one', host: 'test' });
  return { fake, api, envZId, [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose]() };
}

test('the life of a share and an access, call by call', async () => {
  await using h = await house();
  const { api, envZId, fake } = h;
  await api.checkVersion();
  await api.share({ envZId, token: 'my-share', target: 'mcp', open: false });
  const detail = await api.shareDetail('my-share');
  assert.deepEqual([detail?.envZId, detail?.target, detail?.shareMode], [envZId, 'mcp', 'private']);
  assert.deepEqual(await api.shares(), [detail]);
  assert.equal(fake.books.shares.get('my-share')?.permissionMode, 'closed');
  const frontendToken = await api.access({ envZId, token: 'my-share', bindAddress: 'a mark' });
  assert.deepEqual(await api.accesses(envZId), [
    { frontendToken, envZId, shareToken: 'my-share', bindAddress: 'a mark' },
  ]);
  assert.equal(await api.unaccess({ envZId, token: 'my-share', frontendToken }), true);
  assert.equal(await api.unaccess({ envZId, token: 'my-share', frontendToken }), false);
  assert.equal(await api.unshare(envZId, 'my-share'), true);
  assert.equal(await api.unshare(envZId, 'my-share'), false);
  assert.equal(await api.shareDetail('my-share'), undefined);
  assert.deepEqual(await api.environments(), [{ envZId, description: 'one' }]);
  assert.equal(await api.disable(envZId), true);
  assert.equal(await api.disable(envZId), false);
});

test('an open share is open, and grants let another account into a closed one', async () => {
  await using h = await house();
  const { api, envZId, fake } = h;
  const other = new ZrokApi(fake.url, fake.addAccount('b@example.com'));
  const { envZId: otherEnv } = await other.enable({ description: 'two', host: 'test' });
  await api.share({ envZId, token: 'open-one', target: '', open: true });
  await api.share({ envZId, token: 'closed-one', target: '', open: false });
  await other.access({ envZId: otherEnv, token: 'open-one', bindAddress: '' });
  await assert.rejects(
    other.access({ envZId: otherEnv, token: 'closed-one', bindAddress: '' }),
    coded('not_permitted'),
  );
  await api.addGrants('closed-one', ['b@example.com']);
  await other.access({ envZId: otherEnv, token: 'closed-one', bindAddress: '' });
});

const REFUSALS: Record<string, [OverlayErrorCode, RegExp, (h: House) => Promise<unknown>]> = {
  'a token of no account': [
    'account_refused',
    /mcp-tools enable TOKEN/,
    ({ fake }) => new ZrokApi(fake.url, 'nonsense').shares(),
  ],
  'one environment too many': [
    'environment_refused',
    /disable one/,
    ({ fake, api }) => {
      fake.fault('POST /enable', { answer: { status: 401 } });
      return api.enable({ description: '', host: '' });
    },
  ],
  'a share in an environment of nobody': [
    'environment_refused',
    /enable TOKEN/,
    ({ api }) => api.share({ envZId: 'gone', token: 'abc', target: '', open: false }),
  ],
  'an access from an environment of nobody': [
    'environment_refused',
    /enable TOKEN/,
    async ({ api, envZId }) => {
      await api.share({ envZId, token: 'abc', target: '', open: false });
      await api.access({ envZId: 'gone', token: 'abc', bindAddress: '' });
    },
  ],
  'a name that is taken': [
    'share_exists',
    /choose another name/,
    async ({ api, envZId }) => {
      await api.share({ envZId, token: 'abc', target: '', open: false });
      await api.share({ envZId, token: 'abc', target: '', open: false });
    },
  ],
  'a name that the controller finds rude': [
    'bad_token',
    /choose another name/,
    ({ api, envZId }) => api.share({ envZId, token: 'darn-it', target: '', open: false }),
  ],
  'an access to what nobody made': [
    'share_unknown',
    /the host of a share prints/,
    ({ api, envZId }) => api.access({ envZId, token: 'never-made', bindAddress: '' }),
  ],
  'a grant for nobody': [
    'grant_unknown',
    /same zrok instance/,
    async ({ api, envZId }) => {
      await api.share({ envZId, token: 'abc', target: '', open: false });
      await api.addGrants('abc', ['nobody@example.com']);
    },
  ],
  'a grant on what nobody made': ['share_unknown', /./, ({ api }) => api.addGrants('never-made', ['a@example.com'])],
  'a fault of the controller': [
    'controller_failed',
    /its log says more/,
    ({ api, fake }) => {
      fake.fault('GET /shares', { answer: { status: 500 } });
      return api.shares();
    },
  ],
  'an answer that has none of what it should': [
    'controller_failed',
    /is this a zrok 2.0 controller/,
    ({ api, fake }) => {
      fake.fault('POST /enable', { answer: { status: 201, body: { identity: 7 } } });
      return api.enable({ description: '', host: '' });
    },
  ],
  'a controller of another age': [
    'peer_incompatible',
    /zrok 2.0/,
    ({ api, fake }) => {
      fake.fault('GET /shares', { answer: { status: 418 } });
      fake.fault('POST /clientVersionCheck', { answer: { status: 400, body: 'too old' } });
      return api.shares();
    },
  ],
};

for (const [what, [code, hint, act]] of Object.entries(REFUSALS)) {
  test(`${what}: ${code}, naming who refused and what to do`, async () => {
    await using h = await house();
    await assert.rejects(act(h), (error: unknown) => {
      assert.ok(error instanceof OverlayError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.hint ?? '', hint);
      assert.doesNotMatch(`${error.message} ${error.hint}`, new RegExp(h.fake.books.accounts[0]?.token ?? '', 'u'));
      return true;
    });
  });
}

test('empty lists come as null, missing or empty, and entries that are none are passed over', async () => {
  await using h = await house();
  for (const body of [{ shares: null }, {}, { shares: [] }, { shares: [null, 7, {}, { shareToken: 'x' }] }, 'text']) {
    h.fake.fault('GET /shares', { answer: { status: 200, body } });
    assert.deepEqual(await h.api.shares(), []);
  }
});

test('an answer over the cap is given up while it comes in', async () => {
  await using h = await house();
  h.fake.fault('GET /shares', { flood: MAX_ANSWER_BYTES + 1 });
  await assert.rejects(h.api.shares(), coded('controller_failed'));
});

test('a controller that hangs up, is silent, or is not there: network_unreachable, saying which', async () => {
  await using h = await house();
  h.fake.fault('GET /shares', { hangUp: true });
  await assert.rejects(h.api.shares(), (error: Error) => {
    assert.ok(coded('network_unreachable')(error));
    assert.match(error.message, /closed the connection without an answer/);
    return true;
  });
  h.fake.fault('DELETE /unshare', { stall: true });
  await assert.rejects(h.api.unshare(h.envZId, 'x', { timeoutMs: 50 }), (error: Error) => {
    assert.ok(coded('network_unreachable')(error));
    assert.match(error.message, /no answer to DELETE \/api\/v2\/unshare within 50 ms/);
    return true;
  });
  const nobody = new ZrokApi(`http://127.0.0.1:${await freePort()}`, 'x');
  await assert.rejects(nobody.shares(), (error: Error) => {
    assert.match(error.message, /nobody listens there/);
    return coded('network_unreachable')(error);
  });
});

test('a caller that gives up is told so at once', async () => {
  await using h = await house();
  h.fake.fault('GET /accesses', { stall: true });
  const caller = new AbortController();
  const asking = h.api.accesses(h.envZId, { signal: caller.signal });
  await h.fake.called('GET /accesses');
  caller.abort();
  await assert.rejects(asking, coded('dial_aborted'));
});

test('https where http is spoken says so', async () => {
  await using h = await house();
  const rest = zrokRest(h.fake.url.replace('http:', 'https:'), 'x');
  await assert.rejects(rest({ method: 'GET', path: '/versions' }), (error: unknown) => {
    assert.ok(error instanceof OverlayError);
    assert.equal(error.code, 'network_unreachable');
    assert.match(error.hint ?? '', /http where https/);
    return true;
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
