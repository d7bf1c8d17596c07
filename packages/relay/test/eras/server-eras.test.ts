import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EraSetting, type EraWay, ServerEras } from '../../src/eras/server-eras.ts';
import { LIMITS } from '../../src/limits.ts';
import { SharedServer } from '../../src/shared/server.ts';
import type { Transport } from '../../src/transport.ts';
import {
  type Json,
  legacyServer,
  modernMeta,
  modernServer,
  NOWHERE,
  type Play,
  PlayedClient,
  PlayedHost,
  type PlayedServer,
  SILENT,
} from './played.ts';

interface Asking {
  readonly era?: EraSetting;
  readonly oneForAll?: boolean;
  readonly legacyNative?: boolean;
  readonly silenceMs?: number;
  readonly stuckMs?: number;
}

function house(play: Play, more: Asking = {}) {
  const host = new PlayedHost(play);
  const found: string[] = [];
  const eras = new ServerEras({
    era: 'auto',
    by: 'test/1',
    limits: LIMITS,
    oneForAll: true,
    legacyNative: false,
    timeoutMs: 10_000,
    onFound: ({ era, revision, from }) => found.push(`${era} ${revision} ${from}`),
    ...more,
  });
  const open = async (era: 'legacy' | 'modern', way: Partial<EraWay> = {}, signal = NOWHERE.signal) =>
    new PlayedClient(await eras.open(era, { ...host.way(), ...way }, NOWHERE.events, signal));
  return { host, eras, open, found };
}

const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } };
const call = (client: PlayedClient, name = 'x'): Promise<Json> =>
  client.ask('tools/call', { name, _meta: modernMeta() });
const INITIALIZED = ['initialize', 'notifications/initialized'];
const methods = (host: PlayedHost): string[][] => host.lives.map(({ got }) => got.map(({ method }: Json) => method));

/** Dies of it, as servers of the official Rust SDK do. */
const DIES: Play = legacyServer((method, _params, server) => {
  if (method !== 'server/discover') return undefined;
  server.far.break({ code: 'child_exited', reason: 'it ended with code 101' });
  return SILENT;
});
const DEAF = legacyServer((method) => (method === 'server/discover' ? SILENT : undefined));

/** Answers nothing any more once it was asked what it does not know. */
function stuckServer(): Play {
  const stuck = new WeakSet<object>();
  const old = legacyServer();
  return (method, params, server, id) => {
    if (method === 'server/discover') stuck.add(server);
    return stuck.has(server) ? undefined : old(method, params, server, id);
  };
}

/** Both eras at once, as servers of the official TypeScript SDK 2 are. */
function dualServer(): Play {
  const [old, newer] = [legacyServer(), modernServer()];
  return (...said) => (said[0] === 'initialize' ? old : newer)(...said);
}

test('a server is asked server/discover first; a legacy one goes on with initialize in the same process', async () => {
  const { host, open, found, eras } = house(legacyServer());
  const client = await open('legacy');
  assert.equal((await client.ask('initialize', HELLO)).result.serverInfo.name, 'old');
  assert.deepEqual(methods(host), [['server/discover', 'initialize']]);
  assert.deepEqual(found, ['legacy 2025-11-25 found']);
  assert.deepEqual(eras.known, { era: 'legacy', revision: '2025-11-25', from: 'found' });
  const second = await open('legacy');
  await second.ask('initialize', HELLO);
  assert.deepEqual(methods(host)[1], ['initialize']);
});

test('sessions that come at once share one question', async () => {
  for (const play of [legacyServer(), modernServer(), dualServer()]) {
    for (const oneForAll of [true, false]) {
      const { host, open } = house(play, { oneForAll });
      const eras = ['legacy', 'modern', 'modern', 'legacy'] as const;
      const clients = await Promise.all(eras.map((era) => open(era)));
      const answers = await Promise.all(
        clients.map((client, at) =>
          eras[at] === 'legacy' ? client.ask('initialize', HELLO) : client.ask('tools/list', { _meta: modernMeta() }),
        ),
      );
      for (const { result } of answers) assert.ok(result.serverInfo ?? result.tools);
      const probes = host.lives.flatMap(({ got }) => got).filter(({ id }: Json) => id === 'mcp-overlay:discover');
      assert.equal(probes.length, 1);
    }
  }
});

test('a legacy client of a modern-only server is translated, and the next one at once', async () => {
  const { host, open, eras } = house(modernServer());
  const first = await open('legacy');
  assert.equal((await first.ask('initialize', HELLO)).result.serverInfo.name, 'new');
  assert.deepEqual((await first.ask('tools/call', { name: 'x' })).result.content, []);
  assert.deepEqual(eras.known, { era: 'modern', revision: '2026-07-28', from: 'found' });
  const lives = host.lives.length;
  const second = await open('legacy');
  assert.equal((await second.ask('initialize', HELLO)).result.serverInfo.name, 'new');
  assert.equal(host.lives.length, lives);
});

test('a look of our own never says initialize to a modern server, asks once, and subscribes to nothing', async () => {
  for (const oneForAll of [true, false]) {
    const { host, open } = house(modernServer(undefined, { tools: { listChanged: true } }), { oneForAll });
    const look = await open('legacy', { alone: true });
    assert.equal((await look.ask('initialize', HELLO)).result.serverInfo.name, 'new');
    look.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    await look.ask('tools/list');
    assert.deepEqual(methods(host), [['server/discover', 'tools/list']]);
  }
});

test('a way of its own to a server that is known to be modern is not asked again', async () => {
  const { host, open } = house(modernServer(), { oneForAll: false });
  for (let session = 0; session < 3; session += 1) {
    await (await open('modern')).ask('tools/list', { _meta: modernMeta() });
  }
  assert.deepEqual(methods(host), [['server/discover', 'tools/list'], ['tools/list'], ['tools/list']]);
});

test('where another server stands by now, the session is lost and the era found again', async () => {
  const { host, open } = house(modernServer(), { oneForAll: false });
  await (await open('modern')).ask('tools/list', { _meta: modernMeta() });
  host.play = legacyServer();
  const lost = await open('modern');
  lost.send({ jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: modernMeta() } });
  assert.equal((await lost.end()).code, 'session_lost');
  const again = await open('modern');
  assert.equal((await call(again)).result.resultType, 'complete');
});

test('after a failure the era is found again', async () => {
  const { host, open, found } = house(legacyServer());
  const first = await open('legacy');
  await first.ask('initialize', HELLO);
  host.play = modernServer();
  host.last.far.break({ code: 'child_exited', reason: 'it was replaced' });
  await first.end();
  const second = await open('legacy');
  assert.equal((await second.ask('initialize', HELLO)).result.serverInfo.name, 'new');
  assert.deepEqual(found, ['legacy 2025-11-25 found', 'modern 2026-07-28 found']);
  host.play = legacyServer();
  host.lives.at(-1)?.far.break({ code: 'child_exited', reason: 'it was replaced' });
  for (const life of host.lives) life.far.break({ code: 'child_exited', reason: 'it was replaced' });
  await second.end();
  const third = await open('legacy');
  assert.equal((await third.ask('initialize', HELLO)).result.serverInfo.name, 'old');
});

test('modern clients share one server, and see only what is theirs', async () => {
  const play = modernServer((method, params, server) => {
    if (method !== 'tools/call') return undefined;
    server.notify('notifications/progress', { progressToken: params._meta.progressToken, progress: 1 });
    return undefined;
  });
  const { host, open } = house(play);
  const [a, b] = await Promise.all([open('modern'), open('modern')]);
  const ask = (client: PlayedClient, name: string) =>
    client.ask('tools/call', { name, _meta: modernMeta({}, { progressToken: 7 }) }, 1);
  const [one, two] = await Promise.all([ask(a, 'a'), ask(b, 'b')]);
  assert.deepEqual([one.result.echo.name, two.result.echo.name], ['a', 'b']);
  assert.deepEqual(
    [a, b].map((client) => client.notices('notifications/progress').map(({ params }) => params.progressToken)),
    [[7], [7]],
  );
  assert.equal(host.lives.length, 1);
});

test('a legacy server is asked which era it speaks once, and the process that was asked is used', async () => {
  const { host, open } = house(legacyServer());
  const first = await open('modern');
  assert.equal((await call(first)).result.resultType, 'complete');
  assert.deepEqual(methods(host), [['server/discover', 'initialize', 'notifications/initialized', 'tools/call']]);
  const second = await open('modern');
  await call(second);
  assert.deepEqual(methods(host)[1], ['initialize', 'notifications/initialized', 'tools/call']);
});

test('a server that dies of the question is started again and not asked again', async () => {
  for (const era of ['modern', 'legacy'] as const) {
    const { host, open, found } = house(DIES);
    const hello = async () => {
      const client = await open(era);
      if (era === 'modern') assert.equal((await call(client)).result.resultType, 'complete');
      else assert.equal((await client.ask('initialize', HELLO)).result.serverInfo.name, 'old');
      return client;
    };
    await hello();
    const second = await hello();
    // Not even when it failed: it would die of that once more.
    host.last.far.break({ code: 'child_exited', reason: 'it crashed' });
    if (era === 'legacy') await second.end();
    await hello();
    assert.equal(methods(host).filter((life) => life.includes('server/discover')).length, 1);
    assert.equal(found[0], 'legacy 2025-11-25 found');
  }
});

test('a server that is silent is asked the other question too', async () => {
  const { host, open } = house(DEAF, { silenceMs: 50 });
  const client = await open('modern');
  assert.equal((await call(client)).result.resultType, 'complete');
  assert.deepEqual(methods(host)[0], ['server/discover', 'initialize']);
});

test('a server that is silent gets the initialize of its legacy client in the same process, and is remembered', async () => {
  const { host, open } = house(DEAF, { silenceMs: 50 });
  const [first, other] = await Promise.all([open('legacy'), open('legacy')]);
  assert.equal((await first.ask('initialize', HELLO)).result.serverInfo.name, 'old');
  assert.equal((await other.ask('initialize', HELLO)).result.serverInfo.name, 'old');
  assert.deepEqual(methods(host), [['server/discover', 'initialize'], ['initialize']]);
  assert.equal((await call(await open('modern'))).result.resultType, 'complete');
  assert.ok(!methods(host).slice(1).flat().includes('server/discover'));
});

test('a server that the question leaves stuck is started again for initialize, once', async () => {
  for (const era of ['legacy', 'modern'] as const) {
    const { host, open } = house(stuckServer(), { silenceMs: 20, stuckMs: 60 });
    for (let session = 0; session < 2; session += 1) {
      const client = await open(era);
      const { result } = era === 'legacy' ? await client.ask('initialize', HELLO) : await call(client);
      assert.ok(result);
    }
    assert.deepEqual(
      methods(host).map((life) => life.slice(0, 2)),
      [['server/discover', 'initialize'], ...[1, 2].map(() => (era === 'legacy' ? ['initialize'] : INITIALIZED))],
    );
  }
});

test('a slow server that turns out to be modern after its silence is translated all the same', async () => {
  const newer = modernServer();
  let late: PlayedServer | undefined;
  const { open } = house(
    (method, params, server, id) => {
      if (late === undefined && method === 'server/discover') {
        late = server;
        return undefined;
      }
      return newer(method, params, server, id);
    },
    { silenceMs: 20 },
  );
  const client = await open('legacy');
  late?.answer('"mcp-overlay:discover"', { supportedVersions: ['2026-07-28'], capabilities: {} });
  assert.equal((await client.ask('initialize', HELLO)).result.serverInfo.name, 'new');
});

test('garbage on the first question is no answer, and does no harm', async () => {
  const { host, open } = house(
    legacyServer((method, _params, server) => {
      if (method !== 'server/discover') return undefined;
      server.far.send({
        kind: 'notification',
        id: undefined,
        method: 'x',
        bytes: Buffer.from('{"jsonrpc":"2.0","method":"x"}'),
      });
      return SILENT;
    }),
    { silenceMs: 20 },
  );
  const client = await open('legacy');
  assert.equal((await client.ask('initialize', HELLO)).result.serverInfo.name, 'old');
  // What was said before anybody listened is not lost.
  assert.equal(client.notices('x').length, 1);
  assert.equal(host.lives.length, 1);
});

test('a session that ends while it waits for the answer takes nobody with it', async () => {
  let deaf = true;
  const newer = modernServer();
  const { host, open } = house((...said) => (deaf ? undefined : newer(...said)), { silenceMs: 60_000 });
  const leaving = new AbortController();
  const gone = open('modern', {}, leaving.signal);
  const stays = open('modern');
  const leavesToo = new AbortController();
  const goneToo = open('legacy', {}, leavesToo.signal);
  await host.waitFor(1);
  leavesToo.abort();
  await assert.rejects(goneToo, /nobody waits/);
  deaf = false;
  leaving.abort();
  await assert.rejects(gone, /nobody waits/);
  assert.equal((await call(await stays)).result.resultType, 'complete');
});

test('the process that was asked becomes the server of all seats', async () => {
  const play = legacyServer();
  const { host, open } = house(play);
  const shared = new SharedServer({ by: 'test/1', limits: LIMITS, open: host.open });
  const way = { open: () => shared.attach(), fresh: { open: host.open, keep: (t: Transport) => shared.keep(t) } };
  const client = await open('legacy', way);
  assert.equal((await client.ask('initialize', HELLO)).result.serverInfo.name, 'old');
  await host.last.until(({ method }) => method === 'notifications/initialized');
  assert.deepEqual(methods(host), [['server/discover', ...INITIALIZED]]);
  await shared.close();
});

test('a way that is broken says nothing of the era', async () => {
  const host = house((method, _params, server) => {
    if (method === 'server/discover') server.far.break({ code: 'connection_lost', reason: 'the network is away' });
    return SILENT;
  });
  await assert.rejects(host.open('modern'), /the network is away/);
  host.host.play = modernServer();
  assert.equal((await call(await host.open('modern'))).result.resultType, 'complete');
});

test('what says nothing of the era does not keep a legacy client from its initialize', async () => {
  const unsure = [
    { code: -31050, message: 'HTTP 500', data: { error: 'backend_unavailable', status: 500 } },
    { code: -32022, message: 'Unsupported protocol version', data: { supported: ['2027-01-01'] } },
  ];
  for (const error of unsure) {
    const { host, open } = house(
      legacyServer((method) => (method === 'server/discover' ? { error } : undefined)),
      { oneForAll: false },
    );
    for (let session = 0; session < 2; session += 1) {
      assert.equal((await (await open('legacy')).ask('initialize', HELLO)).result.serverInfo.name, 'old');
    }
    assert.deepEqual(methods(host), [['server/discover', 'initialize'], ['initialize']]);
    // It is known by now, for everybody.
    assert.equal((await call(await open('modern'))).result.resultType, 'complete');
  }
});

test('a server that refuses our first request and names our revision is asked once more, and no more', async () => {
  const error = { code: -32022, message: 'Unsupported protocol version', data: { supported: ['2026-07-28'] } };
  for (const refusals of [1, 9]) {
    let left = refusals;
    const { host, open } = house(
      modernServer((method) => {
        if (method !== 'server/discover' || left === 0) return undefined;
        left -= 1;
        return { error };
      }),
    );
    const client = open('legacy');
    if (refusals === 1) assert.equal((await call(await client)).result.isError, undefined);
    else await (await client).ask('initialize', HELLO);
    const asked = methods(host).flat();
    assert.equal(asked.filter((method) => method === 'initialize').length, refusals === 1 ? 0 : 1, asked.join());
    assert.ok(asked.filter((method) => method === 'server/discover').length <= 4, asked.join());
  }
});

test('a server that speaks both is spoken to in the era of its client', async () => {
  const { open, eras } = house(dualServer());
  assert.equal((await (await open('legacy')).ask('initialize', HELLO)).result.serverInfo.name, 'old');
  const newer = await (await open('modern')).ask('server/discover', { _meta: modernMeta() });
  assert.equal(newer.result.cacheScope, 'public');
  assert.deepEqual(eras.known, { era: 'both', revision: '2026-07-28', from: 'found' });
});

test('what was found is found again when it turns out wrong', async () => {
  const { host, open } = house(legacyServer());
  const first = await open('modern');
  await call(first);
  host.play = modernServer();
  // Another set of capabilities, another session: the server that it meets is a new one.
  const refused = await first.ask('tools/call', { name: 'x', _meta: modernMeta({ roots: {} }) });
  assert.equal(refused.error.code, -32601);
  await first.end();
  const second = await open('modern');
  const newer = await second.ask('server/discover', { _meta: modernMeta() });
  assert.equal(newer.result.cacheScope, 'public');
});

test('what is configured is not asked', async () => {
  const legacy = house(legacyServer(), { era: 'legacy' });
  await call(await legacy.open('modern'));
  assert.ok(!methods(legacy.host).flat().includes('server/discover'));
  const modern = house(modernServer(), { era: 'modern' });
  const client = await modern.open('legacy');
  await client.ask('initialize', HELLO);
  assert.ok(!methods(modern.host).flat().includes('initialize'));
  const wrong = house(legacyServer(), { era: 'modern' });
  await assert.rejects(wrong.open('modern'), /does not speak the modern era/);
});

test('the end of the one server is told to each client, with what surely did not run', async () => {
  const { host, open } = house(modernServer((method) => (method === 'tools/call' ? SILENT : undefined)));
  const client = await open('modern');
  client.send({ jsonrpc: '2.0', id: 'a', method: 'tools/call', params: { name: 'x', _meta: modernMeta() } });
  const { id } = await host.last.until(({ method }) => method === 'tools/call');
  host.last.far.break({ code: 'child_exited', reason: 'it ended', notRun: [String(id)] });
  assert.deepEqual((await client.end()).notRun, ['"a"']);
});
