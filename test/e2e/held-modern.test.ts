// A modern client notices nothing of a gateway that is killed in front of a bridge, whatever its server speaks.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { fixtureCommand } from '../conformance/fixture.ts';
import { House } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { call, meta } from './modern.ts';
import { shareBackend, stdioBackend } from './servers.ts';

const WATCHED = 'test://watched-resource';

async function street(house: House, command: readonly string[]) {
  const token = await house.createShare('steady');
  const bridge = await house.bridge('--', ...command);
  const config = await house.config([shareBackend('far', bridge), stdioBackend('near')], { share: { token } });
  const program = house.gatewayProgram(config);
  const gateway = await house.start(program);
  return { gateway, program, agent: LineClient.spawn(house.agentProgram(token)) };
}

describe('a modern client, and a gateway that is killed in front of a bridge', () => {
  for (const era of ['legacy', 'modern'] as const) {
    test(`its subscription stands, with a ${era} server`, async () => {
      await using house = await House.open();
      const { agent, gateway, program } = await street(house, fixtureCommand(era));
      await using _ = agent;
      const params = {
        notifications: { resourceSubscriptions: [`far+${WATCHED}`] },
        _meta: meta(),
      };
      agent.write(JSON.stringify({ jsonrpc: '2.0', id: 'l', method: 'subscriptions/listen', params }));
      await agent.heard('notifications/subscriptions/acknowledged');
      const updates = (): number =>
        agent.lines.filter(({ value }) => value?.method === 'notifications/resources/updated').length;
      await call(agent, 'far__test_trigger_resource_update', { uri: WATCHED });
      await agent.heard('notifications/resources/updated');
      const before = updates();
      await gateway.end('SIGKILL');
      await house.start(program);
      // Once the bridge's server has nothing to tell the old gateway any more, one change is told once.
      while (updates() === before) await call(agent, 'far__test_trigger_resource_update', { uri: WATCHED });
      await wait(300);
      const settled = updates();
      await call(agent, 'far__test_trigger_resource_update', { uri: WATCHED });
      while (updates() === settled) await wait(20);
      await wait(300);
      assert.equal(updates(), settled + 1);
      const acks = agent.lines.filter(({ value }) => value?.method === 'notifications/subscriptions/acknowledged');
      assert.equal(acks.length, 1);
      assert.ok(!agent.lines.some(({ value }) => value?.id === 'l'));
    });
  }

  test('its open call is answered, and runs once', async () => {
    await using house = await House.open();
    const ledger = join(house.home, 'executed.jsonl');
    const { command, args } = scriptedServer({ name: 'far', ledger });
    const { agent, gateway, program } = await street(house, [command, ...args]);
    await using _ = agent;
    const ran = async (): Promise<string[]> =>
      (await readFile(ledger, 'utf8').catch(() => '')).split('\n').filter((line) => /"event":"call".*"n"/.test(line));
    const open = call(agent, 'far__act', { nonce: 'n', acts: [{ do: 'sleep', ms: 3000 }] });
    while ((await ran()).length === 0) await wait(10);
    await gateway.end('SIGKILL');
    await house.start(program);
    const reply = await open;
    assert.equal(reply.result?.resultType, 'complete', reply.raw);
    assert.equal((await ran()).length, 1);
  });

  test('a call that was asked back of it can be gone on with', async () => {
    await using house = await House.open();
    const { command, args } = scriptedServer({ name: 'far' });
    const { agent, gateway, program } = await street(house, [command, ...args]);
    await using _ = agent;
    const asked = { method: 'elicitation/create', params: { message: 'who?', requestedSchema: { type: 'object' } } };
    const first = await call(agent, 'far__ask', asked, {}, { elicitation: {} });
    assert.equal(first.result?.resultType, 'input_required', first.raw);
    await gateway.end('SIGKILL');
    await house.start(program);
    const [key = ''] = Object.keys(first.result?.inputRequests as Json);
    const more = {
      inputResponses: { [key]: { action: 'accept', content: { who: 'me' } } },
      requestState: first.result?.requestState,
    };
    const done = await call(agent, 'far__ask', asked, more, { elicitation: {} });
    assert.equal(done.result?.resultType, 'complete', done.raw);
  });
});
