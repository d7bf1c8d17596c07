// What each server speaks is found once, by whoever owns it: how often servers are asked, what an HTTP server sees of it,
// servers that do not stand the question, and where it is told.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixtureCommand, httpFixture } from '../conformance/fixture.ts';
import { type GatewayStatus, House } from './harness.ts';
import { type Json, LineClient, textOf } from './line-client.ts';
import { commandBackend, everythingOverHttp, fixture, shareBackend, stdioBackend } from './servers.ts';

const PREFIX = 'io.modelcontextprotocol/';
const VERSION = '2026-07-28';
const _meta = {
  [`${PREFIX}protocolVersion`]: VERSION,
  [`${PREFIX}clientInfo`]: { name: 'found', version: '1' },
  [`${PREFIX}clientCapabilities`]: {},
};

const commandOf = (era: 'legacy' | 'modern' | 'both') => {
  const [command, ...args] = fixtureCommand(era);
  return { command, args };
};
const found = ({ backends }: GatewayStatus): boolean => backends.every(({ protocol }) => protocol !== undefined);
const spoken = ({ backends }: GatewayStatus): string[] =>
  backends.map(({ id, protocol }) => `${id} ${protocol?.era} ${protocol?.revision} ${protocol?.from}`);

interface Seen {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/** A modern server over HTTP that keeps what it was asked. */
async function countingServer() {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      const { id, method = request.method } = body === '' ? {} : JSON.parse(body);
      seen.push({ method, headers: request.headers });
      const result = {
        resultType: 'complete',
        ttlMs: 0,
        cacheScope: 'private',
        ...(method === 'server/discover' ? { supportedVersions: [VERSION], capabilities: { tools: {} } } : {}),
        ...(method === 'tools/list' ? { tools: [{ name: 'x', inputSchema: { type: 'object' } }] } : {}),
      };
      const known = method === 'server/discover' || method === 'tools/list';
      const answer = known ? { result } : { error: { code: -32601, message: 'Method not found' } };
      response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answer }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    seen,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const http = (id: string, url: string, more: Json = {}) => ({
  id,
  transport: { type: 'http', endpoint: url, allow_insecure: true, ...more },
});

test('a modern http server is asked once when the gateway starts, and never sees initialize of modern clients', async () => {
  await using far = await countingServer();
  await using house = await House.open();
  const gateway = await house.gateway([http('far', far.url)]);
  await house.untilStatus(gateway, ({ backends }) => backends[0]?.state === 'up');
  assert.deepEqual(
    far.seen.map(({ method }) => method),
    ['server/discover'],
  );
  assert.equal(far.seen[0]?.headers['mcp-method'], 'server/discover');
  assert.equal(far.seen[0]?.headers['mcp-protocol-version'], VERSION);
  for (let session = 0; session < 3; session += 1) {
    await using agent = LineClient.spawn(house.agentProgram(gateway));
    const { raw, error } = await agent.request('tools/list', { _meta });
    assert.equal(error, undefined, raw);
  }
  // One of the session itself each, and the list: nothing is found anew.
  assert.deepEqual(
    far.seen.slice(1).map(({ method }) => method),
    [1, 2, 3].flatMap(() => ['server/discover', 'tools/list']),
  );
  assert.deepEqual(spoken(await house.status(gateway)), [`far modern ${VERSION} found`]);
});

test('an http server without a configured protocol is found out: modern, legacy, both, and the older transport', async () => {
  await using modern = await httpFixture('modern');
  await using legacy = await httpFixture('legacy');
  await using both = await httpFixture('both');
  await using sse = await everythingOverHttp('sse');
  await using house = await House.open();
  const gateway = await house.gateway([
    http('modern', modern.url),
    http('legacy', legacy.url),
    http('both', both.url),
    http('sse', sse.url),
    http('told', sse.url, { protocol: 'sse' }),
  ]);
  await using older = LineClient.spawn(house.agentProgram(gateway));
  await older.initialize();
  await using newer = LineClient.spawn(house.agentProgram(gateway));
  for (const [agent, more] of [
    [older, {}],
    [newer, { _meta }],
  ] as const) {
    const { raw, result } = await agent.request('tools/list', more);
    for (const id of ['modern', 'legacy', 'both', 'sse', 'told']) assert.match(raw, new RegExp(`"${id}__`), id);
    assert.ok(result);
  }
  assert.deepEqual(spoken(await house.untilStatus(gateway, found)), [
    `modern modern ${VERSION} found`,
    'legacy legacy 2025-11-25 found',
    `both both ${VERSION} found`,
    'sse legacy 2025-11-25 found',
    'told legacy 2025-11-25 configured',
  ]);
});

test('status tells what each backend speaks, a bridge says it once', async () => {
  await using house = await House.open();
  const bridge = await house.start(house.program('bridge', '--overlay', 'local', ...fixtureCommand('both')));
  const gateway = await house.gateway([
    stdioBackend('old'),
    { ...commandBackend('new', commandOf('modern')), era: 'modern' },
    shareBackend('far', bridge.ready.share_token ?? ''),
  ]);
  for (let session = 0; session < 2; session += 1) {
    await using agent = LineClient.spawn(house.agentProgram(bridge.ready.share_token ?? ''));
    await agent.initialize();
    await agent.request('tools/list');
    const { raw, error } = await agent.request('tools/list', { _meta });
    assert.equal(error, undefined, raw);
  }
  await using agent = LineClient.spawn(house.agentProgram(gateway));
  await agent.initialize();
  assert.deepEqual(spoken(await house.untilStatus(gateway, found)), [
    'old legacy 2025-11-25 found',
    `new modern ${VERSION} configured`,
    `far both ${VERSION} found`,
  ]);
  const said = bridge.stderr().match(/the server speaks this era/g);
  // Modern when it was asked, both when a legacy client was taken.
  assert.equal(said?.length, 2, bridge.stderr());
});

for (const how of ['exit', 'silent'] as const) {
  test(`a legacy server that does not stand the question (${how}) costs that once, at a gateway and at a bridge`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'asked-'));
    try {
      await using house = await House.open();
      const server = (log: string) => fixture('dies-when-asked-server.mjs', how, join(folder, log));
      const { command, args } = server('bridge');
      const bridge = await house.bridge(command, ...args);
      const gateway = await house.gateway([commandBackend('shy', server('gateway'))]);
      for (const share of [bridge, gateway]) {
        for (const era of ['legacy', 'legacy', 'modern', 'modern']) {
          await using agent = LineClient.spawn(house.agentProgram(share));
          if (era === 'legacy') await agent.initialize();
          const reply = await agent.request('tools/call', { name: 'pid', ...(era === 'modern' ? { _meta } : {}) });
          assert.ok(Number(textOf(reply).pid) > 0, reply.raw);
        }
      }
      for (const log of ['bridge', 'gateway']) {
        const starts = (await readFile(join(folder, log), 'utf8')).trim().split('\n');
        assert.equal(starts.filter((line) => line === 'asked').length, 1, starts.join());
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
