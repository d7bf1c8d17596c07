// Limits, acted out with the built programs: a runaway agent is slowed down, nobody else is, the record has it, and a restart
// gives nothing back.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type GatewayStatus, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { stdioBackend } from './servers.ts';
import { Town } from './town.ts';

interface LimitRow {
  readonly limit: string;
  readonly who?: string;
  readonly refused: number;
}

function rowsOf(status: GatewayStatus): readonly LimitRow[] {
  return (status as unknown as { limits: readonly LimitRow[] }).limits;
}

async function limitedTown(limits: Record<string, unknown>) {
  const town = await Town.open();
  const { house } = town;
  const share = await house.createShare('town-hall');
  const config = await house.config([stdioBackend('one')], { share: { token: share, grants: ['network'] }, limits });
  const flags = await town.as('gateway');
  const agents: LineClient[] = [];
  return {
    house,
    share,
    config,
    start: () => house.start(house.gatewayProgram(config, ...flags)),
    /** An agent of somebody with a certificate; without a name of whoever has the folder. */
    async agent(name?: string): Promise<LineClient> {
      const agent = LineClient.spawn(house.agentProgram(share, ...(name === undefined ? [] : await town.as(name))));
      agents.push(agent);
      await agent.initialize();
      return agent;
    },
    status: async (): Promise<readonly LimitRow[]> => rowsOf(await house.status(share)),
    async [Symbol.asyncDispose]() {
      for (const agent of agents) await agent[Symbol.asyncDispose]();
      await town[Symbol.asyncDispose]();
    },
  };
}

/** The limits that calls were refused for; undefined: it went through. */
async function calls(agent: LineClient, count: number): Promise<(string | undefined)[]> {
  const limits: (string | undefined)[] = [];
  for (let at = 0; at < count; at += 1) {
    const { error } = await agent.call('echo', { nonce: at });
    if (error) assert.equal(error.data?.error, 'limited');
    limits.push(error && String(error.data?.limit));
  }
  return limits;
}

describe('limits', () => {
  test('T33: a runaway agent is refused, a second identity and the owner are not, and the record has each refusal', async () => {
    await using here = await limitedTown({ identities: { default: { rate: '3/h' } } });
    await here.start();
    const [alice, bob, owner] = [await here.agent('alice'), await here.agent('bob'), await here.agent()];
    const over = 'identities.default.rate';
    assert.deepEqual(await calls(alice, 5), [undefined, undefined, undefined, over, over]);
    const { error } = await alice.call('echo');
    assert.ok(Number(error?.data?.retryAfterMs) > 19 * 60_000, JSON.stringify(error));
    const again = await here.agent('alice');
    assert.deepEqual(await calls(again, 1), [over], 'another session of hers has the same budget');
    assert.deepEqual(await calls(bob, 3), [undefined, undefined, undefined]);
    assert.deepEqual(await calls(owner, 20), Array(20).fill(undefined));

    const rows = await here.status();
    assert.deepEqual(
      rows.filter(({ refused }) => refused > 0).map(({ limit, who, refused }) => [limit, who, refused]),
      [[over, 'x509:CN=alice', 4]],
    );
    const shown = await runToEnd(here.house.program('gateway', 'status', here.share));
    assert.match(shown.stdout, /^limit identities\.default\.rate of x509:CN=alice refused 4, last 2/m);
    const query = ['audit', 'query', here.config, '--status', 'refused', '--json'] as const;
    const { code, stdout, stderr } = await runToEnd(here.house.program('gateway', ...query));
    assert.equal(code, 0, stderr);
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { record: { ident: string; code: string; why: string } }).record);
    assert.deepEqual(
      records.map(({ ident, code, why }) => [ident, code, why]),
      Array(4).fill(['x509:CN=alice', 'limited', over]),
    );
  });

  test('a restart gives nothing of the day back, and a tool has its own budget for all', async () => {
    await using here = await limitedTown({
      identities: { 'x509:CN=alice': { daily: 2 } },
      tools: [{ backend: 'one', tools: ['echo'], daily: 4 }],
    });
    const first = await here.start();
    assert.deepEqual(await calls(await here.agent('alice'), 2), [undefined, undefined]);
    assert.equal(await first.end(), 0);
    await here.start();
    assert.deepEqual(await calls(await here.agent('alice'), 1), ['identities.x509:CN=alice.daily']);
    const bob = await here.agent('bob');
    assert.deepEqual(await calls(bob, 3), [undefined, undefined, 'tools[0].daily']);
    assert.deepEqual(await calls(await here.agent(), 1), ['tools[0].daily']);
  });
});
