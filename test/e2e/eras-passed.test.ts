// What passes between equals, and who translates: a bridge behind a gateway gets the client's era as it is, log lines go
// to the requests that asked for them, what nobody knows passes where one server can be meant, and what is configured holds.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixtureCommand } from '../conformance/fixture.ts';
import { House } from './harness.ts';
import { type Json, LineClient, textOf } from './line-client.ts';
import { commandBackend, fixture, shareBackend, stdioBackend } from './servers.ts';

const PREFIX = 'io.modelcontextprotocol/';
const meta = (more: Json = {}): Json => ({
  [`${PREFIX}protocolVersion`]: '2026-07-28',
  [`${PREFIX}clientInfo`]: { name: 'the-client', version: '7' },
  [`${PREFIX}clientCapabilities`]: { roots: {} },
  ...more,
});

const raw = fixture('eras/raw.mjs');

test('a bridge behind gateways gets the era of the client as it is, and translates only for its own server', async () => {
  await using house = await House.open();
  const newer = await house.bridge(raw.command, ...raw.args);
  const old = await house.bridge(...stdioCommand('old'));
  const inner = await house.gateway([shareBackend('newer', newer), shareBackend('old', old)]);
  const outer = await house.gateway([shareBackend('in', inner), stdioBackend('other')]);
  await using agent = LineClient.spawn(house.agentProgram(outer));
  const line = await agent.request('tools/call', { name: 'in__newer__line', arguments: {}, _meta: meta({ 'x/y': 1 }) });
  const [content] = (line.result?.content ?? []) as readonly { text: string }[];
  const { params } = JSON.parse(content?.text ?? '{}') as { params: Json };
  // Nobody on the way has put itself in the client's place.
  assert.deepEqual(params._meta, meta({ 'x/y': 1 }));
  const reply = await agent.request('tools/call', { name: 'in__old__seen', arguments: {}, _meta: meta() });
  assert.equal(reply.result?.resultType, 'complete');
  assert.match(JSON.stringify(textOf(reply).client), /"capabilities":\{"roots":\{\}\}.*"name":"the-client"/);
});

test('log lines of a server that all share go to the requests that asked for them', async () => {
  await using house = await House.open();
  const [command, ...args] = fixtureCommand('modern');
  const bridge = await house.bridge(command, ...args);
  const shares = [
    [bridge, 'test_logging_tool'],
    [await house.gateway([shareBackend('far', bridge), stdioBackend('other')]), 'far__test_logging_tool'],
    [
      await house.gateway([commandBackend('near', { command, args }), stdioBackend('other')]),
      'near__test_logging_tool',
    ],
  ] as const;
  for (const [share, name] of shares) {
    await using loud = LineClient.spawn(house.agentProgram(share));
    await using quiet = LineClient.spawn(house.agentProgram(share));
    await using older = LineClient.spawn(house.agentProgram(share));
    await older.initialize();
    await older.request('logging/setLevel', { level: 'debug' });
    const call = (agent: LineClient, more?: Json) =>
      agent.request('tools/call', { name, arguments: {}, ...(more === undefined ? {} : { _meta: meta(more) }) });
    const lines = (agent: LineClient): number =>
      agent.lines.filter(({ value }) => value?.method === 'notifications/message').length;
    // One after the other: where several that asked are open at once, nobody can say whose a line is.
    for (let round = 1; round <= 3; round += 1) {
      await call(loud, { [`${PREFIX}logLevel`]: 'info' });
      await call(quiet, {});
      await call(older);
      assert.deepEqual([lines(loud), lines(quiet), lines(older)], [round, 0, round], `${name}, round ${round}`);
    }
    // Asked for, but not as little as this.
    await call(loud, { [`${PREFIX}logLevel`]: 'error' });
    assert.equal(lines(loud), 3);
  }
});

test('methods that nobody knows pass where one server can be meant, and exist nowhere else', async () => {
  await using house = await House.open();
  const bridge = await house.bridge(raw.command, ...raw.args);
  const one = await house.gateway([shareBackend('far', bridge)]);
  const two = await house.gateway([commandBackend('near', raw), stdioBackend('other')]);
  for (const share of [bridge, one]) {
    await using agent = LineClient.spawn(house.agentProgram(share));
    const { raw: line } = await agent.request('odd/method', { deep: [{ n: 1 }], _meta: meta() });
    assert.match(line, /odd\/method.*deep.*the-client/);
    const discovered = await agent.request('server/discover', { _meta: meta() });
    assert.match(discovered.raw, /"com.example\/odd":\{"n":1\}/);
  }
  await using agent = LineClient.spawn(house.agentProgram(two));
  assert.equal((await agent.request('odd/method', { _meta: meta() })).error?.code, -32601);
  assert.doesNotMatch((await agent.request('server/discover', { _meta: meta() })).raw, /com.example/);
});

test('an era that is configured is not asked for, at a bridge and at a gateway', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'era-'));
  try {
    await using house = await House.open();
    const file = join(folder, 'asked');
    const { command, args } = fixture('dies-when-asked-server.mjs', 'exit', file);
    const program = house.program('bridge', '--overlay', 'local', '--era', 'legacy', '--', command, ...args);
    const bridge = (await house.start(program)).ready.share_token ?? '';
    const gateway = await house.gateway([{ ...commandBackend('shy', { command, args }), era: 'legacy' }]);
    for (const share of [bridge, gateway]) {
      await using agent = LineClient.spawn(house.agentProgram(share));
      const reply = await agent.request('tools/call', { name: 'pid', arguments: {}, _meta: meta() });
      assert.ok(Number(textOf(reply).pid) > 0, reply.raw);
    }
    await assert.rejects(readFile(file), /ENOENT/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

function stdioCommand(id: string): [string, ...string[]] {
  const { command, args } = stdioBackend(id).transport as { command: string; args: string[] };
  return [command, ...args];
}
