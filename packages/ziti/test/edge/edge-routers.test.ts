// The choice of a router and its channels, with routers that a test opens, delays and breaks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Channel } from '../../src/channel/channel.ts';
import type { ApiSession, EdgeRouterInfo } from '../../src/controller/types.ts';
import type { EdgeChannel } from '../../src/edge/edge-channel.ts';
import { EdgeRouters } from '../../src/edge/edge-routers.ts';
import { CONN_TYPES, EDGE_TYPES } from '../../src/edge/ids.ts';
import { replyTo } from '../../src/edge/messages.ts';
import { TIMING, type Timing } from '../../src/edge/timing.ts';
import { ZitiError } from '../../src/errors.ts';
import { SILENT } from '../../src/log.ts';
import { ScriptedChannel } from '../../src/testing/scripted-channel.ts';
import { SCRIPTED_SESSION } from '../../src/testing/scripted-pair.ts';
import { coded } from '../streams.ts';

const never = new AbortController().signal;

interface Opening {
  readonly url: string;
  readonly signal: AbortSignal;
  open(channel?: ScriptedChannel): ScriptedChannel;
  fail(code?: 'router_unreachable' | 'router_untrusted'): void;
}

function setUp(timing: Partial<Timing> = {}) {
  const openings: Opening[] = [];
  const distrusted: ApiSession[] = [];
  const routers = new EdgeRouters({
    timing: { ...TIMING, ...timing },
    log: SILENT,
    onDistrust: (session) => distrusted.push(session),
    open: ({ url, signal }) =>
      new Promise<Channel>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        openings.push({
          url,
          signal,
          open(channel = new ScriptedChannel({ url })) {
            resolve(channel);
            return channel;
          },
          fail: (code = 'router_unreachable') => reject(new ZitiError(code, `${url} failed`)),
        });
      }),
  });
  return { routers, openings, distrusted };
}

const info = (name: string, urls = [`tls:${name}:1`], online = true): EdgeRouterInfo => ({ name, urls, online });

async function opened(openings: Opening[], at: number): Promise<Opening> {
  for (let n = 0; n < 50 && openings.length <= at; n += 1) await turn();
  const opening = openings[at];
  assert.ok(opening, `opening ${at} of ${openings.length}`);
  return opening;
}

const use = (channel: EdgeChannel): number =>
  channel.add({ connType: CONN_TYPES.dial, onMessage: () => {}, onLost: () => {} });

test('without a channel all are tried at once, and the first one that answers is taken', async () => {
  const { routers, openings } = setUp();
  const dialling = routers.dialChannel([info('a'), info('b')], SCRIPTED_SESSION, never);
  (await opened(openings, 1)).open();
  assert.equal((await dialling).router, 'b');
  openings[0]?.fail();
  const next = await routers.dialChannel([info('a'), info('b')], SCRIPTED_SESSION, never);
  assert.equal(next.router, 'b');
});

test('the measured way decides, and routers without a channel are looked at now and then', async () => {
  const { routers, openings } = setUp();
  const dial = () => routers.dialChannel([info('a'), info('b')], SCRIPTED_SESSION, never);
  const first = dial();
  const [a, b] = [(await opened(openings, 0)).open(), (await opened(openings, 1)).open()];
  await first;
  await turn();
  a.rttMs = 9;
  b.rttMs = 3;
  assert.equal((await dial()).router, 'b');
  a.rttMs = 1;
  assert.equal((await dial()).router, 'a');
  await b.end('router');
  await turn();
  assert.equal((await dial()).router, 'a');
  (await opened(openings, 2)).fail();
  await dial();
  await turn();
  assert.equal(openings.length, 3, 'not at every dial');
});

test('all addresses of a router are tried, TLS before the detours, and the last failure is told', async () => {
  const { routers, openings } = setUp();
  const urls = ['wss:a:2', 'tls:a:1'];
  const dialling = routers.dialChannel([info('a', urls)], SCRIPTED_SESSION, never);
  (await opened(openings, 0)).fail();
  (await opened(openings, 1)).fail('router_untrusted');
  await assert.rejects(dialling, coded('router_untrusted'));
  assert.deepEqual(
    openings.map(({ url }) => url),
    ['tls:a:1', 'wss:a:2'],
  );
});

test('who just failed comes last, who said no comes after all others, and off line means not at all', async () => {
  const { routers, openings } = setUp();
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const first = routers.dialChannel([info('a')], SCRIPTED_SESSION, never);
  (await opened(openings, 0)).fail();
  await assert.rejects(first);
  const all = [...names.map((name) => info(name)), info('off', undefined, false), info('lost', [])];
  const second = routers.dialChannel(all, SCRIPTED_SESSION, never, new Set(['b']));
  await opened(openings, 4);
  for (const opening of openings.slice(1, 5)) opening.fail();
  await opened(openings, 6);
  assert.deepEqual(
    openings.slice(1).map(({ url }) => url),
    ['c', 'd', 'e', 'f', 'a', 'b'].map((name) => `tls:${name}:1`),
  );
  openings[6]?.open();
  assert.equal((await second).router, 'b');
});

test('nobody is on line: those that have an address are tried; nobody at all: that is the error', async () => {
  const { routers, openings } = setUp();
  const dialling = routers.dialChannel([info('a', undefined, false)], SCRIPTED_SESSION, never);
  (await opened(openings, 0)).open();
  assert.equal((await dialling).router, 'a');
  await assert.rejects(routers.dialChannel([], SCRIPTED_SESSION, never), coded('no_edge_routers'));
  await assert.rejects(routers.dialChannel([info('x', [])], SCRIPTED_SESSION, never), coded('no_edge_routers'));
});

test('who gives up waiting leaves the opening to others', async () => {
  const { routers, openings } = setUp();
  const caller = new AbortController();
  const given = routers.dialChannel([info('a')], SCRIPTED_SESSION, caller.signal);
  const other = routers.dialChannel([info('a')], SCRIPTED_SESSION, never);
  await opened(openings, 0);
  caller.abort(new ZitiError('aborted', 'enough'));
  await assert.rejects(given, coded('aborted'));
  openings[0]?.open();
  assert.equal((await other).router, 'a');
  assert.equal(openings.length, 1);
});

test('binds and dials do not share a channel, nor do two logins; a new login retires what the old one has', async () => {
  const { routers, openings } = setUp();
  const dialling = routers.dialChannel([info('a')], SCRIPTED_SESSION, never);
  const scripted = (await opened(openings, 0)).open();
  const dial = await dialling;
  const binding = routers.bindChannel(info('a'), SCRIPTED_SESSION, never);
  (await opened(openings, 1)).open();
  assert.notEqual(await binding, dial);
  const id = use(dial);
  const again = { ...SCRIPTED_SESSION, id: 'login-2' };
  routers.renewed(again);
  assert.equal(dial.usable, false);
  const newDial = routers.dialChannel([info('a')], again, never);
  (await opened(openings, 2)).open();
  assert.notEqual(await newDial, dial);
  assert.equal(scripted.isOver, false, 'as long as it carries something');
  dial.remove(id);
  await scripted.closed;
});

test('a full channel gets company, and one that is not read takes nothing new', async () => {
  const { routers, openings } = setUp();
  const dial = () => routers.dialChannel([info('a')], SCRIPTED_SESSION, never);
  const first = dial();
  (await opened(openings, 0)).open();
  const one = await first;
  for (let n = 0; n < 32; n += 1) use(one);
  assert.equal(await dial(), one, 'nobody waits for the company');
  (await opened(openings, 1)).open();
  await turn();
  const two = await dial();
  assert.notEqual(two, one);
  two.gate.changed({ unreadBytes: 1e9, tooSlow: () => {} }, 1e9);
  two.gate.stop();
  assert.equal(await dial(), one);
});

test('a token is told to every channel of its login, and the answer decides', async () => {
  const { routers, openings } = setUp({ updateTokenMs: 20 });
  const oidc: ApiSession = { ...SCRIPTED_SESSION, kind: 'oidc', token: 'first' };
  const open = async (name: string, at: number): Promise<[ScriptedChannel, EdgeChannel]> => {
    const dialling = routers.dialChannel([info(name)], oidc, never);
    const scripted = (await opened(openings, at)).open();
    return [scripted, await dialling];
  };
  const [good, bad, mute] = [await open('good', 0), await open('bad', 1), await open('mute', 2)];
  const next = { ...oidc, token: 'second' };
  routers.renewed(next);
  for (const [scripted] of [good, bad, mute]) {
    const [asked] = scripted.sent.filter(({ type }) => type === EDGE_TYPES.updateToken);
    assert.equal(String(asked?.body), 'second');
  }
  good[0].arrive(EDGE_TYPES.updateTokenSuccess, replyTo(1, undefined));
  bad[0].arrive(EDGE_TYPES.updateTokenFailure, replyTo(1, undefined), 'no');
  await bad[0].closed;
  await mute[0].closed;
  assert.equal(good[1].session, next);
  assert.equal(good[1].usable, true);
});

test('a login that goes on while a channel is being opened reaches that channel, too', async () => {
  const { routers, openings } = setUp();
  const oidc: ApiSession = { ...SCRIPTED_SESSION, kind: 'oidc', token: 'first' };
  const dialling = routers.dialChannel([info('a')], oidc, never);
  await opened(openings, 0);
  routers.renewed({ ...oidc, token: 'second' });
  const scripted = openings[0]?.open();
  await dialling;
  assert.equal(String(scripted?.sent[0]?.body), 'second');
  const other = routers.dialChannel([info('b')], { ...oidc, token: 'second' }, never);
  await opened(openings, 1);
  routers.renewed({ ...oidc, id: 'login-2', token: 'third' });
  openings[1]?.open();
  assert.equal((await other).usable, false, 'made for a login that is over');
});

test('a channel that a router ends without a word soon after the Hello: the login is to blame, unless another router knows it', async () => {
  for (const known of [false, true]) {
    const { routers, openings, distrusted } = setUp();
    const dialling = routers.dialChannel([info('a')], SCRIPTED_SESSION, never);
    const scripted = (await opened(openings, 0)).open();
    await dialling;
    if (known) {
      const other = routers.dialChannel([info('b')], SCRIPTED_SESSION, never);
      (await opened(openings, 1)).open().rttMs = 2;
      await other;
    }
    await scripted.end('router');
    await turn();
    assert.deepEqual(distrusted, known ? [] : [SCRIPTED_SESSION]);
    assert.equal(await routers.doubts.settle(SCRIPTED_SESSION.id, async () => {}), true);
  }
});

test('closing ends what is open and what is being opened, and nothing begins after', async () => {
  const { routers, openings } = setUp();
  const dialling = routers.dialChannel([info('a')], SCRIPTED_SESSION, never);
  const scripted = (await opened(openings, 0)).open();
  await dialling;
  const waiting = routers.dialChannel([info('b')], SCRIPTED_SESSION, never);
  await opened(openings, 1);
  const closed = new ZitiError('context_closed', 'over');
  await Promise.all([routers.close(closed), assert.rejects(waiting, closed)]);
  assert.equal(scripted.isOver, true);
  await assert.rejects(routers.dialChannel([info('a')], SCRIPTED_SESSION, never), closed);
});
