// A live session whose configuration has more by now: new backends are greeted, listed and called like those it began with,
// whose servers go on; what the client was never told of stays away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { META, notificationMessage, requestMessage } from '@mcp-overlay/relay';
import { naming } from '../../src/routing/names.ts';
import type { SessionSettings } from '../../src/session/settings.ts';
import { openSession, type PlayedBackend, paramsIn, playedBackend, resultIn, SILENCE } from './one-session.ts';

type House = ReturnType<typeof openSession>;

/** The same configuration with these besides, first in the file. */
function withMore(house: House, more: readonly PlayedBackend[]): SessionSettings {
  const other = openSession(more);
  void other[Symbol.asyncDispose]();
  const backends = [...other.settings.backends, ...house.settings.backends];
  return {
    ...house.settings,
    backends,
    naming: naming(
      backends.map(({ backend: { id } }) => ({ id })),
      '__',
    ),
  };
}

/** Rules of nobody, but for which backends they reach. */
const may = (reaches: (id: string) => boolean = () => true): Partial<SessionSettings> => ({
  accessFor: () => ({
    personal: true,
    decide: () => ({ allow: true, rule: 'r' }),
    shows: () => true,
    reaches,
    mayAsk: () => true,
  }),
});

const toolsOf = (result: unknown): readonly string[] =>
  (result as { tools: { name: string }[] }).tools.map(({ name }) => name);

test('a legacy session greets what is new in its own words, lists it, calls it, and keeps what it has', async () => {
  const [a, b, c] = [playedBackend('a'), playedBackend('b'), playedBackend('c')];
  await using house = openSession([a, b], may());
  await house.shakeHands({ roots: {} });
  assert.deepEqual(toolsOf(resultIn(await house.ask('tools/list'))), ['a__echo', 'b__echo']);
  house.session.gain(withMore(house, [c]));
  await house.notified('notifications/tools/list_changed');
  assert.deepEqual(toolsOf(resultIn(await house.ask('tools/list'))), ['a__echo', 'b__echo', 'c__echo']);
  assert.equal(resultIn(await house.ask('tools/call', { name: 'c__echo', arguments: {} })).by, 'c');
  const [hello] = c.servers[0]?.got ?? [];
  assert.ok(hello);
  assert.deepEqual(paramsIn(hello).capabilities, { roots: {} });
  assert.deepEqual([a.servers.length, b.servers.length, c.servers.length], [1, 1, 1]);
  // Once more changes nothing.
  house.session.gain(house.settings);
  assert.equal(c.servers.length, 1);
});

test('a session that nobody spoke in yet has what is new from the start', async () => {
  const [a, b, c] = [playedBackend('a'), playedBackend('b'), playedBackend('c')];
  await using house = openSession([a, b], may());
  house.session.gain(withMore(house, [c]));
  await house.shakeHands();
  assert.deepEqual(toolsOf(resultIn(await house.ask('tools/list'))), ['a__echo', 'b__echo', 'c__echo']);
});

test('what a new backend has besides is no news for a client that was told there is no such thing', async () => {
  const prompts = playedBackend('c', (method) => {
    const serverInfo = { name: 'c', version: '1' };
    const capabilities = { prompts: {}, tools: {} };
    return method === 'initialize' ? { protocolVersion: '2025-11-25', capabilities, serverInfo } : undefined;
  });
  await using house = openSession([playedBackend('a'), playedBackend('b')], may());
  await house.shakeHands();
  house.session.gain(withMore(house, [prompts]));
  await house.notified('notifications/tools/list_changed');
  await house.ask('tools/list');
  assert.ok(house.inbox.every(({ method }) => method !== 'notifications/prompts/list_changed'));
});

test('a backend that its rules keep from a client is not started for it', async () => {
  const c = playedBackend('c');
  await using house = openSession(
    [playedBackend('a'), playedBackend('b')],
    may((id) => id !== 'c'),
  );
  await house.shakeHands();
  house.session.gain(withMore(house, [c]));
  await house.ask('tools/list');
  assert.equal(c.servers.length, 0);
});

test('subscriptions of modern clients reach what is new', async () => {
  const meta = { _meta: { [META.version]: '2026-07-28', [META.clientCapabilities]: {} } };
  const modern = (id: string): PlayedBackend =>
    playedBackend(id, (method, params, server) => {
      const named = { [META.serverInfo]: { name: id, version: '1' } };
      const complete = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' };
      if (method === 'server/discover') {
        return {
          ...complete,
          supportedVersions: ['2026-07-28'],
          capabilities: { tools: { listChanged: true } },
          _meta: named,
        };
      }
      if (method !== 'subscriptions/listen') return undefined;
      setImmediate(() => {
        const listen = server.got.findLast((message) => message.method === method);
        const _meta = { [META.subscription]: Number(listen?.id) };
        const { notifications } = params;
        server.far.send(notificationMessage('notifications/subscriptions/acknowledged', { notifications, _meta }));
      });
      return SILENCE;
    });
  const [a, b, c] = [modern('a'), modern('b'), modern('c')];
  await using house = openSession([a, b], may());
  house.client.send(
    requestMessage('"s"', 'subscriptions/listen', { ...meta, notifications: { toolsListChanged: true } }),
  );
  await house.notified('notifications/subscriptions/acknowledged');
  house.session.gain(withMore(house, [c]));
  await house.notified('notifications/tools/list_changed');
  const asked = c.servers[0]?.got.find(({ method }) => method === 'subscriptions/listen');
  assert.ok(asked);
  c.servers[0]?.far.send(
    notificationMessage('notifications/tools/list_changed', { _meta: { [META.subscription]: Number(asked.id) } }),
  );
  await house.notified('notifications/tools/list_changed');
});
