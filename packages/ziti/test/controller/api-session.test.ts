import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ApiSessions, createApiSessions } from '../../src/controller/api-session.ts';
import type { Login } from '../../src/controller/login.ts';
import type { Logins } from '../../src/controller/logins.ts';
import type { ApiSession, LoginKind, Renewal } from '../../src/controller/types.ts';
import { ZitiError, type ZitiErrorCode } from '../../src/errors.ts';
import { SILENT } from '../../src/log.ts';
import { manualClock, settle } from '../manual-clock.ts';

const LIFE_MS = 1_800_000;

interface Step {
  readonly what: 'login' | 'refresh' | 'logout';
  resolve(): void;
  reject(code: ZitiErrorCode): void;
  /** refresh only: the controller says no. */
  refuse(): void;
}

/** Logins that the test answers one by one; `auto` answers them at once. */
function setup(kind: LoginKind = 'legacy', { auto = true, random = (): number => 0 } = {}) {
  const clock = manualClock();
  const steps: Step[] = [];
  const log: string[] = [];
  let [made, running, most] = [0, 0, 0];

  function loginNow(id: string, token: string): Login {
    const expiresAt = new Date(clock.wall() + LIFE_MS);
    const session = { kind, token, id, identityId: 'i', identityName: 'n', expiresAt, controller: 'https://a' };
    return { session, refreshToken: kind === 'oidc' ? `r-${token}` : undefined, endsAt: clock.now() + LIFE_MS };
  }
  function step<T>(what: Step['what'], value: () => T, signal?: AbortSignal): Promise<T | undefined> {
    log.push(what);
    running += 1;
    most = Math.max(most, running);
    let stop = (): void => {};
    const done = new Promise<T | undefined>((resolve, reject) => {
      steps.push({
        what,
        resolve: () => resolve(value()),
        reject: (code) => reject(new ZitiError(code, code)),
        refuse: () => resolve(undefined),
      });
      stop = () => reject(signal?.reason);
      signal?.addEventListener('abort', stop);
      if (auto) resolve(value());
    });
    return done.finally(() => {
      signal?.removeEventListener('abort', stop);
      running -= 1;
    });
  }
  const logins: Logins = {
    login: async (signal) => {
      made += 1;
      const id = `s${made}`;
      return (await step('login', () => loginNow(id, `${id}-0`), signal)) as Login;
    },
    refresh: (old, signal) => {
      const [id = '', version = '0'] = old.session.token.split('-');
      const token = kind === 'legacy' ? old.session.token : `${id}-${Number(version) + 1}`;
      return step('refresh', () => loginNow(id, token), signal);
    },
    logout: async () => {
      await step('logout', () => undefined);
    },
  };
  const sessions = createApiSessions({ logins, clock, random, log: SILENT });
  const renewed: string[] = [];
  sessions.onRenewed(({ token }: ApiSession, renewal: Renewal) => renewed.push(`${token} ${renewal}`));
  const last = (): Step => steps.at(-1) ?? assert.fail('nothing was asked');
  return { clock, sessions, log, renewed, last, steps, mostAtOnce: () => most };
}

const tokenOf = async (sessions: ApiSessions): Promise<string> => (await sessions.get()).token;
const coded = (code: ZitiErrorCode) => ({ code });

test('nothing is asked before somebody needs it; then one login serves all who wait', async () => {
  const it = setup('legacy', { auto: false });
  assert.deepEqual(it.log, []);
  const waiting = [1, 2, 3].map(() => tokenOf(it.sessions));
  await settle();
  it.last().resolve();
  assert.deepEqual(await Promise.all(waiting), ['s1-0', 's1-0', 's1-0']);
  assert.equal(await tokenOf(it.sessions), 's1-0');
  assert.deepEqual(it.log, ['login']);
  assert.deepEqual(it.renewed, [], 'the first login renews nothing');
});

test('who stops waiting does not stop the login', async () => {
  const it = setup('legacy', { auto: false });
  const stop = new AbortController();
  const impatient = it.sessions.get(stop.signal);
  const patient = tokenOf(it.sessions);
  stop.abort();
  await assert.rejects(impatient, coded('aborted'));
  it.last().resolve();
  assert.equal(await patient, 's1-0');
  assert.deepEqual(it.log, ['login']);
});

test('a login is renewed at a random point between a half and five sixths of its life', async () => {
  for (const [random, share] of [
    [0, 1 / 2],
    [0.5, 2 / 3],
    [0.999999, 5 / 6],
  ] as const) {
    const it = setup('oidc', { random: () => random });
    await it.sessions.get();
    assert.ok(Math.abs((it.clock.pending[0] ?? 0) - share * LIFE_MS) < 10, `${it.clock.pending[0]}`);
    await it.clock.advance(share * LIFE_MS + 10);
    assert.deepEqual(it.log, ['login', 'refresh']);
    assert.deepEqual(it.renewed, ['s1-1 refreshed']);
    assert.equal(await tokenOf(it.sessions), 's1-1');
  }
});

test('it lives on as long as it is renewed', async () => {
  const it = setup('oidc');
  await it.sessions.get();
  await it.clock.advance(10 * LIFE_MS);
  assert.equal(it.log.filter((what) => what === 'refresh').length, 20);
  assert.equal(await tokenOf(it.sessions), 's1-20');
  assert.equal(it.log.filter((what) => what === 'login').length, 1);
});

test('the old token is good until the new one is there', async () => {
  const it = setup('oidc', { auto: false });
  const first = it.sessions.get();
  await settle();
  it.last().resolve();
  await first;
  await it.clock.advance(LIFE_MS / 2);
  assert.equal(await tokenOf(it.sessions), 's1-0');
  it.last().resolve();
  await settle();
  assert.equal(await tokenOf(it.sessions), 's1-1');
});

test('a refresh that fails is tried again after 5 s, 10 s … while there is life, then the next user logs in', async () => {
  const it = setup('oidc', { auto: false });
  const first = it.sessions.get();
  await settle();
  it.last().resolve();
  await first;
  await it.clock.advance(LIFE_MS / 2);
  for (const pause of [5000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
    it.last().reject('controller_unreachable');
    await settle();
    assert.deepEqual(it.clock.pending, [pause]);
    await it.clock.advance(pause);
  }
  for (let tries = 0; it.clock.pending.length > 0 || it.last().what === 'refresh'; tries += 1) {
    it.last().reject('controller_unreachable');
    await settle();
    const [pause] = it.clock.pending;
    if (pause === undefined) break;
    await it.clock.advance(pause);
    assert.ok(tries < 50);
  }
  assert.equal(await tokenOf(it.sessions), 's1-0', 'still alive');
  await it.clock.advance(60_001);
  const next = tokenOf(it.sessions);
  await settle();
  // A last try: a legacy session may have been kept alive by its routers.
  assert.equal(it.last().what, 'refresh');
  it.last().refuse();
  await settle();
  it.last().resolve();
  assert.equal(await next, 's2-0');
});

test('a refresh that is refused leads to a new login at once, and those who listen learn it', async () => {
  const it = setup('oidc', { auto: false });
  const first = it.sessions.get();
  await settle();
  it.last().resolve();
  await first;
  await it.clock.advance(LIFE_MS / 2);
  it.last().refuse();
  await settle();
  it.last().resolve();
  await settle();
  assert.deepEqual(it.log, ['login', 'refresh', 'login']);
  assert.deepEqual(it.renewed, ['s2-0 new-login']);
});

test('after a 401 a legacy login is made anew, an OIDC login refreshed, each once for all who met it', async () => {
  const legacy = setup('legacy');
  const old = await legacy.sessions.get();
  await Promise.all([1, 2, 3].map(() => legacy.sessions.renew(old)));
  await legacy.sessions.renew(old);
  assert.deepEqual(legacy.log, ['login', 'login']);
  assert.deepEqual(legacy.renewed, ['s2-0 new-login']);

  const oidc = setup('oidc');
  const stale = await oidc.sessions.get();
  await Promise.all([1, 2, 3].map(() => oidc.sessions.renew(stale)));
  assert.deepEqual(oidc.log, ['login', 'refresh']);
  assert.deepEqual(oidc.renewed, ['s1-1 refreshed']);
});

test('invalidating ends the present session only', async () => {
  const it = setup('oidc');
  const old = await it.sessions.get();
  it.sessions.invalidate(old);
  assert.equal(await tokenOf(it.sessions), 's2-0');
  it.sessions.invalidate(old);
  assert.equal(await tokenOf(it.sessions), 's2-0');
  assert.deepEqual(it.renewed, ['s2-0 new-login']);
  // The timer of the old session is gone.
  assert.equal(it.clock.pending.length, 1);
});

test('a refused login is not tried again for a second, then for two, four … up to a minute', async () => {
  const it = setup('legacy', { auto: false });
  const refusal = async (): Promise<void> => {
    const asked = it.sessions.get();
    await settle();
    it.last().reject('login_refused');
    await assert.rejects(asked, coded('login_refused'));
  };
  const pauses = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000];
  for (const [at, pause] of pauses.entries()) {
    await refusal();
    await it.clock.advance(pause - 1);
    await assert.rejects(it.sessions.get(), coded('login_refused'));
    assert.equal(it.log.length, at + 1, 'asked too soon');
    await it.clock.advance(1);
  }
  const asked = tokenOf(it.sessions);
  await settle();
  it.last().resolve();
  assert.equal(await asked, `s${pauses.length + 1}-0`);
});

test('other failures of a login are tried again with the next use', async () => {
  const it = setup('legacy', { auto: false });
  for (const code of ['controller_unreachable', 'controller_busy', 'login_incomplete'] as const) {
    const asked = it.sessions.get();
    await settle();
    it.last().reject(code);
    await assert.rejects(asked, coded(code));
  }
  assert.equal(it.log.length, 3);
});

test('closing ends what is under way, logs out once, and refuses everything after', async () => {
  const it = setup('legacy');
  await it.sessions.get();
  await Promise.all([it.sessions.close(), it.sessions.close()]);
  assert.deepEqual(it.log, ['login', 'logout']);
  assert.deepEqual(it.clock.pending, []);
  await assert.rejects(it.sessions.get(), coded('controller_closed'));

  const busy = setup('legacy', { auto: false });
  const asked = busy.sessions.get();
  asked.catch(() => {});
  await settle();
  await busy.sessions.close();
  await assert.rejects(asked, coded('controller_closed'));
  assert.deepEqual(busy.log, ['login'], 'there is nothing to log out of');
  assert.deepEqual(busy.clock.pending, []);

  const unused = setup('legacy');
  await unused.sessions.close();
  assert.deepEqual(unused.log, []);
});

test('who listens may ask, renew and invalidate at once', async () => {
  const it = setup('oidc');
  const first = await it.sessions.get();
  const heard = new Promise<string>((resolve) => {
    const stop = it.sessions.onRenewed((session) => {
      stop();
      it.sessions.invalidate(session);
      it.sessions.get().then(({ token }) => resolve(token));
    });
  });
  await it.sessions.renew(first);
  assert.equal(await heard, 's2-0');
  assert.deepEqual(it.log, ['login', 'refresh', 'login']);
  assert.equal(it.clock.pending.length, 1);
});

test('whatever happens, there is never more than one login or refresh at a time', async () => {
  const action = fc.constantFrom('get', 'renew', 'invalidate', 'time', 'resolve', 'refuse', 'fail', 'deny');
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { maxLength: 40 }),
      fc.constantFrom<LoginKind>('legacy', 'oidc'),
      async (actions, kind) => {
        const it = setup(kind, { auto: false });
        let known: ApiSession | undefined;
        const asked: Promise<unknown>[] = [];
        for (const one of actions) {
          const step = it.steps.at(-1);
          if (one === 'get')
            asked.push(
              it.sessions
                .get()
                .then((session) => (known = session))
                .catch(() => {}),
            );
          else if (one === 'renew' && known) asked.push(it.sessions.renew(known).catch(() => {}));
          else if (one === 'invalidate' && known) it.sessions.invalidate(known);
          else if (one === 'time') await it.clock.advance(LIFE_MS / 2);
          else if (one === 'resolve') step?.resolve();
          else if (one === 'refuse' && step?.what === 'refresh') step.refuse();
          else if (one === 'fail') step?.reject('controller_unreachable');
          else if (one === 'deny' && step?.what === 'login') step.reject('login_refused');
          await settle();
          assert.ok(it.mostAtOnce() <= 1, actions.join());
        }
        const closed = it.sessions.close();
        await settle();
        if (it.steps.at(-1)?.what === 'logout') it.last().resolve();
        await closed;
        await Promise.all(asked);
        assert.deepEqual(it.clock.pending, []);
      },
    ),
    { numRuns: 150 },
  );
});
