import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EraSetting, ServerEras } from '../../src/eras/server-eras.ts';
import { LIMITS } from '../../src/limits.ts';
import {
  type Json,
  legacyServer,
  modernMeta,
  modernServer,
  NOWHERE,
  type Play,
  PlayedClient,
  PlayedHost,
  SILENT,
} from './played.ts';

function house(play: Play, more: { era?: EraSetting; oneForAll?: boolean; legacyNative?: boolean } = {}) {
  const host = new PlayedHost(play);
  const found: string[] = [];
  const eras = new ServerEras({
    era: 'auto',
    by: 'test/1',
    limits: LIMITS,
    oneForAll: true,
    legacyNative: false,
    timeoutMs: 10_000,
    onFound: (era) => found.push(era),
    ...more,
  });
  const open = async (era: 'legacy' | 'modern') =>
    new PlayedClient(await eras.open(era, host.way(), NOWHERE.events, NOWHERE.signal));
  return { host, eras, open, found };
}

const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } };
const call = (client: PlayedClient, name = 'x'): Promise<Json> =>
  client.ask('tools/call', { name, _meta: modernMeta() });
const methods = (host: PlayedHost): string[][] => host.lives.map(({ got }) => got.map(({ method }: Json) => method));

test('a legacy client finds a legacy server with its own initialize: nothing else is asked', async () => {
  const { host, open, found } = house(legacyServer());
  const client = await open('legacy');
  assert.equal((await client.ask('initialize', HELLO)).result.serverInfo.name, 'old');
  assert.deepEqual(methods(host), [['initialize']]);
  assert.deepEqual(found, ['legacy']);
});

test('a legacy client of a modern-only server is translated, and the next one at once', async () => {
  const { host, open } = house(modernServer());
  const first = await open('legacy');
  assert.equal((await first.ask('initialize', HELLO)).result.serverInfo.name, 'new');
  assert.deepEqual((await first.ask('tools/call', { name: 'x' })).result.content, []);
  const lives = host.lives.length;
  const second = await open('legacy');
  assert.equal((await second.ask('initialize', HELLO)).result.serverInfo.name, 'new');
  assert.equal(host.lives.length, lives);
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
  const play = legacyServer((method, _params, server) => {
    if (method !== 'server/discover') return undefined;
    server.far.break({ code: 'child_exited', reason: 'it ended with code 101' });
    return SILENT;
  });
  const { host, open } = house(play);
  assert.equal((await call(await open('modern'))).result.resultType, 'complete');
  assert.equal((await call(await open('modern'))).result.resultType, 'complete');
  assert.equal(methods(host).filter((life) => life.includes('server/discover')).length, 1);
});

test('a server that is silent is asked the other question too', async () => {
  const { host, open } = house(legacyServer((method) => (method === 'server/discover' ? SILENT : undefined)));
  const client = await open('modern');
  assert.equal((await call(client)).result.resultType, 'complete');
  assert.deepEqual(methods(host)[0], ['server/discover', 'initialize']);
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

test('a server that speaks both is spoken to in the era of its client', async () => {
  const modern = modernServer();
  const { open } = house((...said) => (said[0] === 'initialize' ? legacyServer()(...said) : modern(...said)));
  assert.equal((await (await open('legacy')).ask('initialize', HELLO)).result.serverInfo.name, 'old');
  const newer = await (await open('modern')).ask('server/discover', { _meta: modernMeta() });
  assert.equal(newer.result.cacheScope, 'public');
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
