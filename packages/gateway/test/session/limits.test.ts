// Limits as a client of a gateway meets them, and what the record says of it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseGatewayConfig } from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';
import {
  LIMITS,
  type Message,
  notificationMessage,
  parseMessage,
  requestMessage,
  resultMessage,
} from '@mcp-overlay/relay';
import { linkedTransports } from '@mcp-overlay/relay/testing';
import { Allowances } from '../../src/policy/allowances.ts';
import { callGauge } from '../../src/policy/limit.ts';
import { forgetfulSpent } from '../../src/policy/spent.ts';
import type { SessionSettings } from '../../src/session/settings.ts';
import { memoryAuditLog } from '../../src/testing/index.ts';
import { openSession, type PlayedBackend, playedBackend, resultIn, SILENCE } from './one-session.ts';

const ALICE: Principal = { id: 'ziti:alice', name: 'alice', proven: true, via: 'ziti', groups: [] };
const BOB: Principal = { ...ALICE, id: 'ziti:bob', name: 'bob' };
const OWNER: Principal = { id: 'owner', name: 'owner', proven: false, via: 'local', groups: [] };

/** A gateway over one played server, `a`, with these limits and a record. */
function gatewayOf(limits: string, backend: PlayedBackend = playedBackend('a')) {
  const text = `backends: [ { id: a, transport: { type: stdio, command: x } } ]\nlimits: ${limits}\n`;
  const { allowances } = parseGatewayConfig(text, { file: 'g.yml', env: {}, cwd: '/' }).config;
  assert.ok(allowances);
  const time = { mono: 0 };
  const clock = { mono: () => time.mono, wall: () => 0 };
  const book = new Allowances({ config: allowances, identities: [], spent: forgetfulSpent(clock), clock });
  const audit = memoryAuditLog();
  const settings: Partial<SessionSettings> = {
    limitsFor: (principal) => book.of(principal),
    audit: { log: audit, receipts: false },
  };
  const session = (principal: Principal, more: Partial<SessionSettings> = {}) =>
    openSession([backend], { ...settings, ...more }, {}, linkedTransports(), principal);
  return { backend, book, audit, time, session };
}

const CALL = { name: 'echo', arguments: {} };

function limitIn(message: Message): unknown {
  const { error } = parseMessage(message) as { error?: { code: number; data?: { error?: string; limit?: string } } };
  if (!error) return undefined;
  assert.equal(error.code, -31001);
  assert.equal(error.data?.error, 'limited');
  return error.data?.limit;
}

describe('limits', () => {
  test('T33: a runaway agent is told which limit and when to come back, the record has it, and others go on', async () => {
    const here = gatewayOf('{ identities: { default: { rate: 1/s, burst: 2 } } }');
    await using one = here.session(ALICE);
    await one.shakeHands();
    await using two = here.session(ALICE);
    await two.shakeHands();
    await using other = here.session(BOB);
    await other.shakeHands();
    await using owner = here.session(OWNER);
    await owner.shakeHands();

    assert.equal(limitIn(await one.ask('tools/call', CALL)), undefined);
    assert.equal(limitIn(await two.ask('tools/call', CALL)), undefined);
    const refused = await one.ask('tools/call', CALL);
    assert.deepEqual((parseMessage(refused) as { error?: unknown }).error, {
      code: -31001,
      message: 'over the limit identities.default.rate of this gateway; the call was not passed on, try again in 1 s',
      data: { error: 'limited', limit: 'identities.default.rate', retryAfterMs: 1000 },
    });
    assert.equal(limitIn(await two.ask('tools/call', CALL)), 'identities.default.rate');
    assert.equal(limitIn(await other.ask('tools/call', CALL)), undefined);
    for (let at = 0; at < 20; at += 1) assert.equal(limitIn(await owner.ask('tools/call', CALL)), undefined);

    const of = (ident: string) => here.audit.events.filter((event) => 'ident' in event && event.ident === ident);
    const outcomes = of('ziti:alice').flatMap((event) => (event.type === 'call.outcome' ? [event] : []));
    assert.deepEqual(
      outcomes.map(({ status, code, why }) => [status, code, why]),
      [
        ['ok', undefined, undefined],
        ['ok', undefined, undefined],
        ['refused', 'limited', 'identities.default.rate'],
        ['refused', 'limited', 'identities.default.rate'],
      ],
    );
    assert.equal(
      of('ziti:alice').filter(({ type }) => type === 'call.intent').length,
      2,
      'what is refused is no intent',
    );
    const calls = here.backend.servers.flatMap(({ got }) => got).filter(({ method }) => method === 'tools/call');
    assert.equal(calls.length, 23, 'what was refused came to no server');
    here.time.mono = 1000;
    assert.equal(limitIn(await one.ask('tools/call', CALL)), undefined);
  });

  test('lists cost as calls do and are on record when refused; ping, initialize and answers are free', async () => {
    const here = gatewayOf('{ identities: { default: { daily: 2 } } }');
    await using alice = here.session(ALICE);
    await alice.shakeHands();
    for (let at = 0; at < 5; at += 1) await alice.ask('ping');
    assert.equal((resultIn(await alice.ask('tools/list')).tools as unknown[]).length, 1);
    assert.equal(limitIn(await alice.ask('tools/call', CALL)), undefined);
    assert.equal(limitIn(await alice.ask('tools/list')), 'identities.default.daily');
    assert.deepEqual(resultIn(await alice.ask('ping')), {});
    const last = here.audit.events.at(-1);
    assert.ok(last?.type === 'call.outcome');
    assert.deepEqual([last.method, last.status, last.code], ['tools/list', 'refused', 'limited']);
  });

  test('a notification that may have effects costs too: over the limit it reaches no server, and the record has it', async () => {
    const here = gatewayOf('{ identities: { default: { daily: 1 } } }');
    await using alice = here.session(ALICE);
    await alice.shakeHands();
    for (const value of [1, 2]) alice.client.send(notificationMessage('notifications/custom', { value }));
    alice.client.send(notificationMessage('notifications/roots/list_changed'));
    await here.audit.saw((event) => event.type === 'call.outcome' && event.status === 'refused');
    await alice.ask('ping');
    const got = here.backend.servers.flatMap(({ got }) => got).map(({ method }) => method);
    assert.equal(got.filter((method) => method === 'notifications/custom').length, 1);
    assert.ok(got.includes('notifications/roots/list_changed'));
  });

  test('a tool and a backend are limited under their own names, for the owner too', async () => {
    const here = gatewayOf('{ tools: [ { backend: a, tools: [ec*], daily: 1 } ], backends: { a: { daily: 3 } } }');
    await using owner = here.session(OWNER);
    await owner.shakeHands();
    assert.equal(limitIn(await owner.ask('tools/call', CALL)), undefined);
    assert.equal(limitIn(await owner.ask('tools/call', CALL)), 'tools[0].daily');
    assert.equal(limitIn(await owner.ask('resources/read', { uri: 'x:y' })), undefined);
    assert.equal(limitIn(await owner.ask('resources/read', { uri: 'x:y' })), undefined);
    assert.equal(limitIn(await owner.ask('resources/read', { uri: 'x:y' })), 'backends.a.daily');
    const refused = here.audit.events.filter((event) => event.type === 'call.outcome' && event.status === 'refused');
    assert.deepEqual(
      refused.map((event) => event.type === 'call.outcome' && [event.backend, event.target, event.why, event.decision]),
      [
        ['a', 'echo', 'tools[0].daily', 'allow'],
        ['a', 'x:y', 'backends.a.daily', 'allow'],
      ],
    );
  });

  test('a call refused later gives nothing back but its place', async () => {
    const here = gatewayOf('{ identities: { default: { concurrent: 1, daily: 4 } }, backends: { a: { daily: 1 } } }');
    await using alice = here.session(ALICE);
    await alice.shakeHands();
    const limits: unknown[] = [];
    for (let at = 0; at < 5; at += 1) limits.push(limitIn(await alice.ask('tools/call', CALL)));
    const later = Array(3).fill('backends.a.daily');
    assert.deepEqual(limits, [undefined, ...later, 'identities.default.daily']);
  });

  for (const [how, end] of [
    ['answered', undefined],
    ['cancelled', 'cancel'],
    ['too late', 'deadline'],
    ['cut with its session', 'close'],
  ] as const) {
    test(`the place of a call that is ${how} comes back`, async () => {
      const silent = playedBackend('a', (method) => (end && method === 'tools/call' ? SILENCE : undefined));
      const here = gatewayOf(
        '{ identities: { default: { concurrent: 1 } }, backends: { a: { concurrent: 1 } } }',
        silent,
      );
      await using alice = here.session(ALICE, end === 'deadline' ? { callTimeoutMs: 50 } : {});
      await alice.shakeHands();
      await using again = here.session(ALICE);
      await again.shakeHands();
      alice.client.send(requestMessage('"x"', 'tools/call', CALL));
      if (end) await here.audit.saw(({ type }) => type === 'call.intent');
      if (end === 'cancel' || end === 'close') {
        assert.equal(limitIn(await again.ask('tools/call', CALL)), 'identities.default.concurrent');
      }
      if (end === 'cancel') alice.client.send(notificationMessage('notifications/cancelled', { requestId: 'x' }));
      if (end === 'close') await alice.session.close();
      await here.audit.saw((event) => event.type === 'call.outcome' && 'of' in event);
      silent.play = () => undefined;
      assert.equal(limitIn(await again.ask('tools/call', CALL)), undefined);
    });
  }

  test('a call that finds the machine busy gives its place back, too', async () => {
    const silent = playedBackend('a', (method) => (method === 'tools/call' ? SILENCE : undefined));
    const here = gatewayOf('{ identities: { default: { concurrent: 2 } } }', silent);
    const gauge = { open: LIMITS.callsInAll, waiting: new Set<() => boolean>() };
    await using alice = here.session(ALICE, { gauge, limits: { ...LIMITS, callsQueued: 0 } });
    await alice.shakeHands();
    for (let at = 0; at < 5; at += 1) {
      const { error } = parseMessage(await alice.ask('tools/call', CALL)) as { error?: { data?: { error?: string } } };
      assert.equal(error?.data?.error, 'busy');
    }
  });

  test('under overload a call is refused before all else, told when to come again and recorded; open calls finish', async () => {
    const slow = playedBackend('a', (method) => (method === 'tools/call' ? SILENCE : undefined));
    const here = gatewayOf('{ identities: { default: { concurrent: 2 } } }', slow);
    let overloaded: number | undefined;
    const gauge = { ...callGauge(() => overloaded) };
    await using alice = here.session(ALICE, { gauge });
    await alice.shakeHands();
    alice.client.send(requestMessage('"open"', 'tools/call', CALL));
    await here.audit.saw(({ type }) => type === 'call.intent');
    overloaded = 1500;
    const refused = parseMessage(await alice.ask('tools/call', CALL)) as { error: { data: Record<string, unknown> } };
    assert.deepEqual(refused.error.data, { error: 'busy', retryAfterMs: 1500 });
    assert.equal(gauge.open, 1);
    const [server] = slow.servers;
    const open = server?.got.find(({ method }) => method === 'tools/call');
    server?.far.send(resultMessage(open?.id ?? '', { content: [] }));
    await alice.until(({ id }) => id === '"open"');
    const outcomes = here.audit.events.filter(({ type }) => type === 'call.outcome');
    assert.deepEqual(outcomes.map((event) => (event as { status: string }).status).sort(), ['ok', 'refused']);
    overloaded = undefined;
    slow.play = () => undefined;
    assert.equal(limitIn(await alice.ask('tools/call', CALL)), undefined);
  });

  test('a modern subscription is a request like others', async () => {
    const here = gatewayOf('{ identities: { default: { daily: 1 } } }');
    await using alice = here.session(ALICE);
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const first = await alice.ask('tools/call', { ...CALL, _meta });
    assert.equal(limitIn(first), undefined);
    const answer = await alice.ask('subscriptions/listen', { notifications: { toolsListChanged: true }, _meta });
    assert.equal(limitIn(answer), 'identities.default.daily');
    const last = here.audit.events.at(-1);
    assert.ok(last?.type === 'call.outcome');
    assert.deepEqual(
      [last.method, last.status, last.why],
      ['subscriptions/listen', 'refused', 'identities.default.daily'],
    );
  });
});
