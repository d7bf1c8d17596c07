// Both protocol eras through the built programs, where it takes more than one client, server or life to see it: isolation,
// restarts, servers that do not like to be asked, cancellation down to the child.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fixtureCommand } from '../conformance/fixture.ts';
import { House } from './harness.ts';
import { type Json, LineClient, type Reply, textOf } from './line-client.ts';
import { commandBackend, fixture, shareBackend, stdioBackend } from './servers.ts';

const PREFIX = 'io.modelcontextprotocol/';
const SUBSCRIPTION = `${PREFIX}subscriptionId`;

function meta(capabilities: Json = {}, more: Json = {}): Json {
  return {
    [`${PREFIX}protocolVersion`]: '2026-07-28',
    [`${PREFIX}clientInfo`]: { name: 'eras', version: '1' },
    [`${PREFIX}clientCapabilities`]: capabilities,
    ...more,
  };
}

function call(agent: LineClient, name: string, args: Json = {}, capabilities: Json = {}): Promise<Reply> {
  return agent.request('tools/call', { name, arguments: args, _meta: meta(capabilities) });
}

async function told(agent: LineClient, name: string, args: Json = {}, capabilities: Json = {}): Promise<Json> {
  return textOf(await call(agent, name, args, capabilities));
}

function command([program = '', ...args]: readonly string[]) {
  return { command: program, args };
}

describe('modern agents at legacy servers', () => {
  test('two agents of one user share no server; one agent has one for each set of capabilities', async () => {
    await using house = await House.open();
    const gateway = await house.gateway([stdioBackend('one'), stdioBackend('two')]);
    await using a = LineClient.spawn(house.agentProgram(gateway));
    await using b = LineClient.spawn(house.agentProgram(gateway));
    await call(a, 'one__state', { value: 'secret of a' });
    assert.equal((await told(b, 'one__state', { value: 'secret of b' })).before, null);
    assert.equal((await told(a, 'one__state', { value: 'x' })).before, 'secret of a');
    const pids = await Promise.all([
      told(a, 'one__pid'),
      told(a, 'one__pid', {}, { roots: {} }),
      told(b, 'one__pid'),
      told(a, 'one__pid'),
    ]);
    assert.equal(new Set(pids.map(({ pid }) => pid)).size, 3);
    assert.equal(pids[0]?.pid, pids[3]?.pid);
    const seen = await told(a, 'one__seen', {}, { roots: {} });
    assert.match(JSON.stringify(seen.client), /"capabilities":\{"roots":\{\}\}/);
  });

  test('a question of the server ends the request and the retry goes on, at a gateway, behind a bridge, at a bridge', async () => {
    await using house = await House.open();
    const bridge = await house.bridge(...commandOf('asks'));
    const hosts = [
      [await house.gateway([stdioBackend('asks')]), 'ask'],
      [await house.gateway([shareBackend('asks', bridge), stdioBackend('other')]), 'asks__ask'],
      [bridge, 'ask'],
    ] as const;
    for (const [share, name] of hosts) {
      await using agent = LineClient.spawn(house.agentProgram(share));
      const args = { method: 'elicitation/create', params: { message: 'who?', requestedSchema: { type: 'object' } } };
      const ask = (more: Json): Promise<Reply> =>
        agent.request('tools/call', { name, arguments: args, ...more, _meta: meta({ elicitation: {} }) });
      const first = await ask({});
      const { resultType, inputRequests, requestState } = first.result ?? {};
      assert.equal(resultType, 'input_required', first.raw);
      const [key = ''] = Object.keys(inputRequests as Json);
      const content = { name: 'Ada', at: 1 };
      const second = await ask({ inputResponses: { [key]: { action: 'accept', content } }, requestState });
      assert.match(second.raw, /Ada/);
      assert.equal(agent.asked.length, 0);
      const forged = await ask({ inputResponses: {}, requestState: String(requestState).replace(/.$/, '_') });
      assert.equal(forged.error?.code, -32602);
    }
  });

  test('a server that dies when it is asked what it speaks is served all the same', async () => {
    await using house = await House.open();
    const server = fixture('dies-when-asked-server.mjs');
    const bridge = await house.bridge(server.command, ...server.args);
    const gateway = await house.gateway([commandBackend('dies', server), stdioBackend('other')]);
    for (const [share, name] of [
      [bridge, 'pid'],
      [gateway, 'dies__pid'],
    ] as const) {
      await using agent = LineClient.spawn(house.agentProgram(share));
      const { pid } = await told(agent, name);
      assert.equal((await told(agent, name)).pid, pid);
    }
  });

  test('a call that is taken back, by message or by closing its http response, is taken back at the server', async () => {
    await using house = await House.open();
    const bridge = await house.bridge(...commandOf('slow'));
    const gateway = await house.gateway([shareBackend('slow', bridge)]);
    const door = await house.http(gateway);
    const abort = new AbortController();
    const params = { name: 'hang', arguments: {}, _meta: meta({}, { progressToken: 1 }) };
    const open = fetch(door, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'hang',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
      signal: abort.signal,
    });
    await house.untilStatus(gateway, ({ calls }) => calls.open === 1);
    abort.abort();
    await assert.rejects(open);
    await house.untilStatus(gateway, ({ calls }) => calls.open === 0);
  });
});

describe('subscriptions over lost hosts', () => {
  test('a gateway that is killed is listened to again: acknowledged once, and the lists are looked at', async () => {
    await using house = await House.open();
    const token = await house.createShare('modern');
    const backends = [
      commandBackend('old', command(fixtureCommand('legacy'))),
      commandBackend('new', command(fixtureCommand('modern'))),
    ];
    const program = house.gatewayProgram(await house.config(backends, { share: { token } }));
    const gateway = await house.start(program);
    await using agent = LineClient.spawn(house.agentProgram(token));
    const notifications = { toolsListChanged: true, resourceSubscriptions: ['old+test://watched-resource'] };
    const listen = { jsonrpc: '2.0', id: 'listen:0', method: 'subscriptions/listen' };
    agent.write(JSON.stringify({ ...listen, params: { notifications, _meta: meta() } }));
    const mine = (params: Json): boolean => (params._meta as Json | undefined)?.[SUBSCRIPTION] === 'listen:0';
    const acknowledged = 'notifications/subscriptions/acknowledged';
    assert.deepEqual((await agent.heard(acknowledged, mine)).notifications, notifications);
    for (const backend of ['old', 'new']) {
      const from = agent.lines.length;
      await call(agent, `${backend}__test_trigger_tool_change`);
      await agent.heard('notifications/tools/list_changed', mine, from);
    }
    const from = agent.lines.length;
    await gateway.end('SIGKILL');
    await house.start(program);
    await agent.heard('notifications/tools/list_changed', mine, from);
    const after = agent.lines.length;
    await call(agent, 'new__test_trigger_tool_change');
    await agent.heard('notifications/tools/list_changed', mine, after);
    assert.equal(agent.lines.filter(({ value }) => value?.method === acknowledged).length, 1);
    agent.notify('notifications/cancelled', { requestId: 'listen:0' });
    await call(agent, 'new__test_trigger_tool_change');
    const quiet = agent.lines.length;
    await call(agent, 'new__test_trigger_tool_change');
    await wait(200);
    assert.ok(!agent.lines.slice(quiet).some(({ value }) => value?.method === 'notifications/tools/list_changed'));
  });

  test('an agent that goes with an open subscription is gone at once', async () => {
    await using house = await House.open();
    const gateway = await house.gateway([commandBackend('new', command(fixtureCommand('modern')))]);
    const agent = LineClient.spawn(house.agentProgram(gateway));
    const params = { notifications: { toolsListChanged: true }, _meta: meta() };
    agent.write(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }));
    await agent.heard('notifications/subscriptions/acknowledged');
    assert.equal(await agent.end(), 0);
  });
});

describe('legacy agents at modern servers', () => {
  test('agents share the one server and nothing else: questions come to who called', async () => {
    await using house = await House.open();
    const bridge = await house.bridge(...fixtureCommand('modern'));
    const agents = await Promise.all(
      ['Ada', 'Bob'].map(async (name) => {
        const agent = LineClient.spawn(house.agentProgram(bridge));
        agent.answers.set('elicitation/create', () => ({ action: 'accept', content: { name } }));
        await agent.initialize({ elicitation: {} }, name);
        return agent;
      }),
    );
    const said = await Promise.all(agents.map((agent) => agent.call('test_input_required_result_elicitation')));
    assert.match(said[0]?.raw ?? '', /Ada/);
    assert.match(said[1]?.raw ?? '', /Bob/);
    assert.deepEqual(
      agents.map(({ asked }) => asked.length),
      [1, 1],
    );
    for (const agent of agents) await agent[Symbol.asyncDispose]();
  });
});

/** A scripted server as words. */
function commandOf(name: string): readonly string[] {
  const { command: program, args } = stdioBackend(name).transport as { command: string; args: string[] };
  return [program, ...args];
}
