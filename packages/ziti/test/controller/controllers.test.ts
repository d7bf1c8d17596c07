import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Refusal } from '../../src/controller/answers.ts';
import { type Controllers, createControllers, trouble } from '../../src/controller/controllers.ts';
import { ZitiError, type ZitiErrorCode } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { manualClock, settle } from '../manual-clock.ts';

const [A, B, C] = ['https://a/edge/client/v1', 'https://b/edge/client/v1', 'https://c/edge/client/v1'] as const;

type Said = 'ok' | number | ZitiErrorCode;

/** What each controller does, changed by the test; the order in which they were asked. */
function setup(urls: readonly string[], random = 0, busyPausesMs = [1000, 2000]) {
  const clock = manualClock();
  const controllers = createControllers(urls, { clock, random: () => random, busyPausesMs });
  const says: Record<string, Said> = {};
  const asked: string[] = [];
  const ask = (how: { only?: string; signal?: AbortSignal } = {}): Promise<{ url: string; refusal?: Refusal }> =>
    controllers.inTurn<{ url: string; refusal?: Refusal }>(
      async (url) => {
        asked.push(new URL(url).host);
        const said = says[url] ?? 'ok';
        if (said === 'ok') return { url };
        if (typeof said === 'number') return { url, refusal: refusal(said) };
        throw new ZitiError(said, `${new URL(url).host} ${said}`);
      },
      (result) => trouble(result.refusal),
      how,
    );
  return { clock, controllers, says, asked, ask };
}

function refusal(status: number, retryAfterMs?: number): Refusal {
  return { status, code: undefined, message: undefined, field: undefined, retryAfterMs };
}

const host = async (asked: Promise<{ url: string }>): Promise<string> => new URL((await asked).url).host;
const health = ({ states }: Controllers) => states().map(({ reachable, lastError }) => [reachable, lastError]);

test('the one that answered last is asked first, and a random one at the beginning', async () => {
  const it = setup([A, B, C], 0.99);
  assert.equal(await host(it.ask()), 'c');
  it.says[C] = 'controller_unreachable';
  assert.equal(await host(it.ask()), 'a');
  it.says[C] = 'ok';
  assert.equal(await host(it.ask()), 'a');
  assert.deepEqual(it.asked, ['c', 'c', 'a', 'a']);
});

test('connection errors, timeouts, foreign certificates, proxies that refuse and 5xx go on to the next', async () => {
  const said: Said[] = [
    'controller_unreachable',
    'controller_timeout',
    'controller_untrusted',
    'proxy_refused',
    500,
    502,
    503,
    429,
  ];
  for (const one of said) {
    const it = setup([A, B]);
    it.says[A] = one;
    assert.equal(await host(it.ask()), 'b', String(one));
  }
  for (const final of [400, 401, 404, 606]) {
    const it = setup([A, B]);
    it.says[A] = final;
    assert.equal((await it.ask()).refusal?.status, final);
    assert.deepEqual(it.asked, ['a']);
  }
  const it = setup([A, B]);
  it.says[A] = 'aborted';
  await assert.rejects(it.ask(), { code: 'aborted' });
});

test('when nobody can be reached, each is named with its reason', async () => {
  const it = setup([A, B]);
  it.says[A] = 'controller_unreachable';
  it.says[B] = 'controller_timeout';
  await assert.rejects(it.ask(), (error: ZitiError) => {
    assert.equal(error.code, 'controller_unreachable');
    assert.match(error.message, /a controller_unreachable; b controller_timeout/);
    return true;
  });
  it.says[A] = 'controller_timeout';
  await assert.rejects(it.ask(), { code: 'controller_timeout' });
  await assert.rejects(it.ask({ only: B }), { code: 'controller_timeout', message: 'b controller_timeout' });
  assert.deepEqual(health(it.controllers), [
    [false, 'a controller_timeout'],
    [false, 'b controller_timeout'],
  ]);
  it.says[B] = 'ok';
  await it.ask();
  assert.deepEqual(health(it.controllers)[1], [true, undefined]);
});

test('a controller alone that fails is not asked twice, and its answer is given back', async () => {
  const it = setup([A]);
  it.says[A] = 500;
  assert.equal((await it.ask()).refusal?.status, 500);
  assert.deepEqual(it.asked, ['a']);
  assert.deepEqual(health(it.controllers), [[true, 'HTTP 500']]);
});

test('busy controllers are asked again after growing pauses with chance in them, then given up', async () => {
  const it = setup([A, B]);
  it.says[A] = 429;
  it.says[B] = 503;
  const asked = it.ask();
  await settle();
  assert.deepEqual(it.clock.pending, [500]);
  await it.clock.advance(500);
  assert.deepEqual(it.clock.pending, [1000]);
  await it.clock.advance(1000);
  assert.equal((await asked).refusal?.status, 503);
  assert.deepEqual(it.asked, ['a', 'b', 'a', 'b', 'a', 'b']);
});

test('a pause ends early with the signal, and early enough when the controller is free again', async () => {
  const it = setup([A]);
  it.says[A] = 429;
  const stop = new AbortController();
  const stopped = it.ask({ signal: stop.signal });
  await settle();
  stop.abort();
  await assert.rejects(stopped, { code: 'aborted' });
  assert.deepEqual(it.clock.pending, []);
  const patient = it.ask();
  await settle();
  it.says[A] = 'ok';
  await it.clock.advance(500);
  assert.equal(await host(patient), 'a');
});

test('a controller says how long to wait, within reason', async () => {
  const clock = manualClock();
  const controllers = createControllers([A], { clock, random: () => 0 });
  for (const [retryAfterMs, pause] of [
    [3000, 3000],
    [100, 250],
    [3_600_000, 10_000],
  ] as const) {
    let tries = 0;
    const asked = controllers.inTurn(async () => (tries++ === 0 ? refusal(429, retryAfterMs) : undefined), trouble);
    await settle();
    assert.deepEqual(clock.pending, [pause]);
    await clock.advance(pause);
    assert.equal(await asked, undefined);
  }
});

test('a list from the network comes before the file, and counts controllers, not addresses', async () => {
  const it = setup([A]);
  assert.equal(it.controllers.several, false);
  it.controllers.learn([]);
  assert.deepEqual(it.controllers.urls, [A]);
  it.controllers.learn([[B, C]]);
  assert.equal(it.controllers.several, false);
  assert.deepEqual(it.controllers.urls, [B, C, A]);
  it.controllers.learn([[A], [B]]);
  assert.equal(it.controllers.several, true);
  assert.equal(await host(it.ask()), 'a');
  it.controllers.learn(Array.from({ length: 100 }, (_, at) => [`https://c${at}/edge/client/v1`]));
  assert.equal(it.controllers.urls.length, LIMITS.controllers);
  assert.equal(await host(it.ask()), 'c0');
  assert.equal(setup([A, B]).controllers.several, true);
});
