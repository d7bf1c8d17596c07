// A bridge outlives its gateway: children keep what they hold in memory, and the agent's stdio never notices, whatever the
// gateway was doing when it was killed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { type Command, House, type Running } from './harness.ts';
import { LineClient } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';

interface Street {
  readonly house: House;
  readonly agent: LineClient;
  readonly bridge: Running;
  gateway: Running;
  readonly program: Command;
}

/** tools → gateway → bridge → server, and a server of the gateway's own. */
async function street(house: House, capabilities = {}): Promise<Street> {
  const token = await house.createShare('steady');
  const { command, args } = scriptedServer({ name: 'far' });
  const bridge = await house.start(house.program('bridge', '--overlay', 'local', command, ...args));
  const backends = [shareBackend('far', bridge.ready.share_token ?? ''), stdioBackend('near')];
  const program = house.gatewayProgram(await house.config(backends, { share: { token } }));
  const gateway = await house.start(program);
  const agent = LineClient.spawn(house.agentProgram(token));
  await agent.initialize(capabilities);
  return { house, agent, bridge, gateway, program };
}

describe('a gateway that is killed or goes, in front of a bridge', () => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    test(`${signal} while nothing is open: the bridge's server keeps its memory, and only what is lost is told`, async () => {
      await using house = await House.open();
      const { agent, gateway, program } = await street(house);
      await using _ = agent;
      const { pid } = await agent.told('far__pid');
      const { pid: near } = await agent.told('near__pid');
      for (const count of [1, 2]) assert.equal((await agent.told('far__counter')).count, count);
      await agent.request('logging/setLevel', { level: 'warning' });
      let running = gateway;
      for (const count of [3, 4]) {
        const from = agent.lines.length;
        await running.end(signal);
        running = await house.start(program);
        assert.equal((await agent.told('far__counter')).count, count);
        await agent.heard(
          'notifications/message',
          ({ data }) => data === 'backend near was restarted; what it held in memory is gone',
          from,
        );
        assert.ok(!agent.lines.slice(from).some(({ raw }) => /(far|share steady) was restarted/.test(raw)));
      }
      assert.equal((await agent.told('far__pid')).pid, pid);
      assert.notEqual((await agent.told('near__pid')).pid, near);
      assert.equal((await agent.told('far__seen')).level, 'warning');
      // Servers hear one handshake, whoever asks.
      assert.equal(agent.lines.filter(({ value }) => String(value?.method).endsWith('list_changed')).length, 0);
    });
  }
});
