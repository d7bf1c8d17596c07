// Both eras where somebody in the middle is lost: handles of a host that is gone, subscriptions over a killed bridge and
// through the HTTP door, a legacy client's subscription at a modern server that comes back.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fixtureCommand } from '../conformance/fixture.ts';
import { House, type Running } from './harness.ts';
import { type Json, LineClient, type Reply } from './line-client.ts';
import { call, meta, VERSION } from './modern.ts';
import { shareBackend, stdioBackend } from './servers.ts';

const WATCHED = 'test://watched-resource';

function bridge(house: House, token: string, era: 'legacy' | 'modern'): Promise<Running> {
  return house.start(
    house.program('bridge', '--overlay', 'local', '--share-token', token, '--', ...fixtureCommand(era)),
  );
}

/** Tells until it is heard, once more with each answer: right after a restart nobody may be listening yet. `heard` has a
 *  deadline of its own. */
async function eventually(tell: () => Promise<unknown>, heard: Promise<unknown>): Promise<void> {
  let over = false;
  const done = heard.finally(() => {
    over = true;
  });
  done.catch(() => {});
  while (!over) await tell();
  await done;
}

describe('somebody is lost', () => {
  test('a handle of a host that is gone is refused, not waited for; the call can be made anew', async () => {
    await using house = await House.open();
    const token = await house.createShare('asks');
    const program = house.gatewayProgram(await house.config([stdioBackend('asks')], { share: { token } }));
    const gateway = await house.start(program);
    await using agent = LineClient.spawn(house.agentProgram(token));
    const args = { method: 'elicitation/create', params: { message: 'who?', requestedSchema: { type: 'object' } } };
    const ask = (more: Json = {}): Promise<Reply> => call(agent, 'ask', args, more, { elicitation: {} });
    const first = await ask();
    assert.equal(first.result?.resultType, 'input_required', first.raw);
    await gateway.end('SIGKILL');
    await house.start(program);
    const answers = (reply: Reply): Json => {
      const [key = ''] = Object.keys(reply.result?.inputRequests as Json);
      return { inputResponses: { [key]: { action: 'accept', content: {} } }, requestState: reply.result?.requestState };
    };
    const late = await ask(answers(first));
    assert.equal(late.error?.code, -32602, late.raw);
    const again = await ask();
    assert.equal((await ask(answers(again))).result?.resultType, 'complete');
  });

  for (const era of ['legacy', 'modern'] as const) {
    test(`a modern subscription stands over a killed bridge with a ${era} server`, async () => {
      await using house = await House.open();
      const token = await house.createShare('far');
      const first = await bridge(house, token, era);
      const gateway = await house.gateway([shareBackend('far', token), stdioBackend('near')]);
      await using agent = LineClient.spawn(house.agentProgram(gateway));
      const notifications = { toolsListChanged: true, resourceSubscriptions: [`far+${WATCHED}`] };
      const params = { notifications, _meta: meta() };
      agent.write(JSON.stringify({ jsonrpc: '2.0', id: 'l', method: 'subscriptions/listen', params }));
      await agent.heard('notifications/subscriptions/acknowledged');
      const updated = (from: number): Promise<Json> =>
        agent.heard('notifications/resources/updated', ({ uri }) => uri === `far+${WATCHED}`, from);
      const update = (): Promise<Reply> => call(agent, 'far__test_trigger_resource_update', { uri: WATCHED });
      const before = agent.lines.length;
      await update();
      await updated(before);
      await first.end('SIGKILL');
      await bridge(house, token, era);
      const after = agent.lines.length;
      await eventually(update, updated(after));
      const acks = agent.lines.filter(({ value }) => value?.method === 'notifications/subscriptions/acknowledged');
      assert.equal(acks.length, 1);
      assert.ok(!agent.lines.some(({ value }) => value?.id === 'l'));
    });

    test(`a legacy subscription stands over a killed bridge with a ${era} server`, async () => {
      await using house = await House.open();
      const token = await house.createShare('far');
      const first = await bridge(house, token, era);
      const gateway = await house.gateway([shareBackend('far', token), stdioBackend('near')]);
      await using agent = LineClient.spawn(house.agentProgram(gateway));
      await agent.initialize();
      assert.deepEqual((await agent.request('resources/subscribe', { uri: `far+${WATCHED}` })).result, {});
      const updated = (from: number): Promise<Json> =>
        agent.heard('notifications/resources/updated', ({ uri }) => uri === `far+${WATCHED}`, from);
      const update = (): Promise<Reply> => agent.call('far__test_trigger_resource_update', { uri: WATCHED });
      const before = agent.lines.length;
      await eventually(update, updated(before));
      await first.end('SIGKILL');
      await bridge(house, token, era);
      const after = agent.lines.length;
      await eventually(update, updated(after));
    });
  }

  test('a subscription through the HTTP door goes on when the gateway is killed and comes back', async () => {
    await using house = await House.open();
    const token = await house.createShare('gateway');
    const [command, ...args] = fixtureCommand('modern');
    const transport = { type: 'stdio', command, args };
    const program = house.gatewayProgram(await house.config([{ id: 'new', transport }], { share: { token } }));
    const gateway = await house.start(program);
    const door = await house.http(token);
    const stop = new AbortController();
    const post = (id: string, method: string, params: Json, signal?: AbortSignal): Promise<Response> =>
      fetch(door, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': VERSION,
          'mcp-method': method,
          ...(typeof params.name === 'string' ? { 'mcp-name': params.name } : {}),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta: meta() } }),
        ...(signal === undefined ? {} : { signal }),
      });
    const stream = await post('l', 'subscriptions/listen', { notifications: { toolsListChanged: true } }, stop.signal);
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    let said = '';
    const until = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(said)) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        if (done) throw new Error(`the stream ended: ${said}`);
        said += value;
      }
      said = '';
    };
    const change = async (): Promise<unknown> =>
      (await post('c', 'tools/call', { name: 'test_trigger_tool_change', arguments: {} })).text();
    const CHANGED = /tools\/list_changed[^\n]*subscriptionId":"l"|subscriptionId":"l"[^\n]*tools\/list_changed/;
    await until(/acknowledged/);
    await change();
    await until(CHANGED);
    await gateway.end('SIGKILL');
    await house.start(program);
    await eventually(change, until(CHANGED));
    stop.abort();
  });
});
