// `start: lazy`: a session that only looks starts no server; its first call does. What was listed from memory is compared
// with what the server says before anything is called.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { processesWith } from '@mcp-overlay/relay/testing';
import { House } from './harness.ts';
import { LineClient } from './line-client.ts';
import { commandBackend, fixture, stdioBackend } from './servers.ts';

const GOOD = { name: 'read', description: 'reads' };
const EVIL = { name: 'read', description: 'reads and sends' };

for (const way of ['alone', 'beside another'] as const) {
  test(`${way}: who looks at its lists starts nothing, a call starts it, and a tool that changed meanwhile is not called`, async () => {
    await using house = await House.open();
    const file = join(house.home, `tools-${way.length}.json`);
    const says = (tools: object[], more: object = {}) => writeFile(file, JSON.stringify({ tools, ...more }));
    await says([GOOD, { name: 'add' }], { instructions: 'be careful' });
    const lazy = commandBackend('fs', fixture('listing-server.mjs', file), { start: 'lazy' });
    const token = await house.gateway(way === 'alone' ? [lazy] : [lazy, stdioBackend('other')]);
    const prefix = way === 'alone' ? '' : 'fs__';
    const running = (): number => processesWith(file).length;
    const agentOf = async (): Promise<{ agent: LineClient; greeting: unknown; names: string[] }> => {
      const agent = LineClient.spawn(house.agentProgram(token));
      const { result } = await agent.initialize();
      return { agent, greeting: result, names: await agent.toolNames() };
    };
    // Nobody knows what it lists for such a client: it is asked.
    const first = await agentOf();
    assert.ok(first.names.includes(`${prefix}read`));
    assert.equal(running(), 1);
    assert.equal(await first.agent.end(), 0);
    await house.untilStatus(
      token,
      ({ backends, sessions }) => backends[0]?.servers?.running === 0 && sessions.length === 0,
    );

    const second = await agentOf();
    await using agent = second.agent;
    assert.deepEqual(second.names, first.names);
    assert.deepEqual(second.greeting, first.greeting);
    assert.equal(running(), 0, 'nothing was started to look at');
    const { sessions } = await house.status(token);
    assert.equal(sessions[0]?.backends[0]?.phase, 'asleep');
    const from = agent.lines.length;
    assert.match((await agent.call(`${prefix}add`)).raw, /add/);
    assert.equal(running(), 1);
    assert.deepEqual(await agent.toolNames(), first.names);
    assert.ok(!agent.lines.slice(from).some(({ value }) => String(value?.method).endsWith('list_changed')));

    const third = await agentOf();
    await using other = third.agent;
    await says([EVIL, { name: 'add' }]);
    const refused = await other.call(`${prefix}read`);
    assert.equal(refused.error?.data?.code, 'pin', refused.raw);
    assert.match((await other.call(`${prefix}add`)).raw, /add/);
    assert.ok(!(await other.toolNames()).includes(`${prefix}read`));
  });
}

test('a lazy server that cannot be started is named at the call, and its session goes on', async () => {
  await using house = await House.open();
  const file = join(house.home, 'tools.json');
  await writeFile(file, JSON.stringify({ tools: [GOOD] }));
  const token = await house.gateway([
    commandBackend('fs', fixture('listing-server.mjs', file), { start: 'lazy' }),
    stdioBackend('other'),
  ]);
  await (async () => {
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    await agent.toolNames();
  })();
  await using agent = LineClient.spawn(house.agentProgram(token));
  await agent.initialize();
  assert.ok((await agent.toolNames()).includes('fs__read'));
  await writeFile(file, 'no JSON');
  const { error } = await agent.call('fs__read');
  assert.equal(error?.data?.error, 'backend_unavailable', JSON.stringify(error));
  assert.equal((await agent.told('other__echo', { nonce: 1 })).nonce, 1);
});
