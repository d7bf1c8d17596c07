// A bridge outlives its gateway: children keep what they hold in memory, calls go on, and the agent's stdio never notices,
// whatever the gateway was doing when it was killed. What ran is read from the server's own file.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { type Command, House, type Running } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';

interface Street {
  readonly agent: LineClient;
  /** The gateway next to the agent. */
  gateway: Running;
  readonly program: Command;
  readonly ran: () => Promise<Map<string, number>>;
}

/** tools → gateway → bridge → server, and a server of the gateway's own; `between`: one more gateway before the bridge. */
async function street(house: House, { capabilities = {}, between = false } = {}): Promise<Street> {
  const token = await house.createShare('steady');
  const ledger = join(house.home, 'executed.jsonl');
  const { command, args } = scriptedServer({ name: 'far', ledger });
  const bridge = await house.bridge(command, ...args);
  const next = between ? await house.gateway([shareBackend('behind', bridge, { prefix: '' })]) : bridge;
  const backends = [shareBackend('far', next), stdioBackend('near')];
  const program = house.gatewayProgram(await house.config(backends, { share: { token } }));
  const gateway = await house.start(program);
  const agent = LineClient.spawn(house.agentProgram(token));
  await agent.initialize(capabilities);
  return { agent, gateway, program, ran: () => noncesIn(ledger) };
}

/** Calls of each nonce that began, by the server's own file. */
async function noncesIn(file: string): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const line of (await readFile(file, 'utf8').catch(() => '')).split('\n').filter((one) => one !== '')) {
    const { event, nonce } = JSON.parse(line) as { event: string; nonce: string | null };
    if (event === 'call' && nonce !== null) counts.set(nonce, (counts.get(nonce) ?? 0) + 1);
  }
  return counts;
}

async function untilRan(street: Street, nonce: string): Promise<void> {
  while (!(await street.ran()).has(nonce)) await wait(10);
}

function memoryNews(agent: LineClient, from: number): string[] {
  return agent.lines.slice(from).flatMap(({ value }) => {
    const data = String((value?.params as Json | undefined)?.data);
    return value?.method === 'notifications/message' && /in memory/.test(data) ? [data] : [];
  });
}

const NEAR_LOST = 'backend near was restarted; what it held in memory is gone';

for (const between of [false, true]) {
  const place = between ? 'in front of a gateway with a bridge' : 'in front of a bridge';
  describe(`a gateway ${place}, that is killed or goes`, () => {
    for (const signal of between ? (['SIGKILL'] as const) : (['SIGKILL', 'SIGTERM'] as const)) {
      test(`${signal} while nothing is open: the server keeps its memory, and only what is lost is told`, async () => {
        await using house = await House.open();
        const here = await street(house, { between });
        await using agent = here.agent;
        const { pid } = await agent.told('far__pid');
        const { pid: near } = await agent.told('near__pid');
        for (const count of [1, 2]) assert.equal((await agent.told('far__counter')).count, count);
        await agent.request('logging/setLevel', { level: 'warning' });
        for (const count of [3, 4]) {
          const from = agent.lines.length;
          await here.gateway.end(signal);
          here.gateway = await house.start(here.program);
          assert.equal((await agent.told('far__counter')).count, count);
          await agent.heard('notifications/message', ({ data }) => data === NEAR_LOST, from);
          assert.deepEqual(memoryNews(agent, from), [NEAR_LOST]);
        }
        assert.equal((await agent.told('far__pid')).pid, pid);
        assert.notEqual((await agent.told('near__pid')).pid, near);
        assert.equal((await agent.told('far__seen')).level, 'warning');
        assert.equal(agent.lines.filter(({ value }) => String(value?.method).endsWith('list_changed')).length, 0);
      });

      test(`${signal} in the middle of a call: it runs once, and is answered once`, async () => {
        await using house = await House.open();
        const here = await street(house, { between });
        await using agent = here.agent;
        const { pid } = await agent.told('far__pid');
        // One ends while nobody is there to hear it, one after the gateway is back.
        const open = [0, 3000].map((ms) =>
          agent.call('far__act', { nonce: `n${ms}`, acts: [{ do: 'sleep', ms: 300 + ms }] }),
        );
        for (const nonce of ['n0', 'n3000']) await untilRan(here, nonce);
        await here.gateway.end(signal);
        await wait(400);
        here.gateway = await house.start(here.program);
        for (const { error, raw } of await Promise.all(open)) assert.equal(error, undefined, raw);
        assert.equal((await agent.told('far__pid')).pid, pid);
        assert.deepEqual([...(await here.ran()).values()], [1, 1]);
        const ids = agent.lines.flatMap(({ value }) => (value?.method === undefined ? [value?.id] : []));
        assert.equal(new Set(ids).size, ids.length, 'an id was answered twice');
      });
    }

    test('SIGKILL while a question is open: it is asked again, and its answer ends the call', async () => {
      await using house = await House.open();
      const here = await street(house, { between, capabilities: { elicitation: {} } });
      await using agent = here.agent;
      let answer: (value: Json) => void = () => {};
      const answers: Promise<Json>[] = [
        new Promise(() => {}),
        new Promise((resolve) => {
          answer = resolve;
        }),
      ];
      agent.answers.set('elicitation/create', () => answers[agent.asked.length - 1] ?? {});
      const params = { message: 'really?', requestedSchema: { type: 'object', properties: {} } };
      const asking = agent.call('far__ask', { nonce: 'asks', method: 'elicitation/create', params });
      await agent.line(({ value }) => value?.method === 'elicitation/create', 'the question');
      const from = agent.lines.length;
      await here.gateway.end('SIGKILL');
      here.gateway = await house.start(here.program);
      await agent.line(({ value }) => value?.method === 'elicitation/create', 'the question again', from);
      answer({ action: 'accept', content: { sure: 'quite' } });
      assert.match((await asking).raw, /quite/);
      assert.deepEqual([...(await here.ran()).entries()], [['asks', 1]]);
      assert.equal(agent.asked.length, 2);
    });
  });
}

test('a call that runs through a killed gateway can be taken back afterwards: the server hears of it', async () => {
  await using house = await House.open();
  const here = await street(house);
  await using agent = here.agent;
  await agent.told('far__pid');
  const params = { name: 'far__hang', arguments: { nonce: 'taken back' } };
  agent.write(JSON.stringify({ jsonrpc: '2.0', id: 'long', method: 'tools/call', params }));
  await untilRan(here, 'taken back');
  await here.gateway.end('SIGKILL');
  here.gateway = await house.start(here.program);
  assert.equal((await agent.told('far__counter')).count, 1);
  agent.notify('notifications/cancelled', { requestId: 'long', reason: 'no more' });
  const file = join(house.home, 'executed.jsonl');
  while (!(await readFile(file, 'utf8')).includes('"event":"cancelled"')) await wait(20);
  assert.ok(!agent.lines.some(({ value }) => value?.id === 'long'));
});

test('a gateway that is killed again and again, with calls open all the time: none is lost, none runs twice', async () => {
  await using house = await House.open();
  const here = await street(house);
  await using agent = here.agent;
  const { pid } = await agent.told('far__pid');
  let next = 0;
  let over = false;
  const caller = async (): Promise<void> => {
    while (!over) {
      const nonce = `n${next++}`;
      const ms = next % 3 === 0 ? 50 : 0;
      const reply = await agent.call('far__act', { nonce, acts: [{ do: 'sleep', ms }] });
      assert.equal(reply.error, undefined, reply.raw);
    }
  };
  const callers = Promise.all(Array.from({ length: 4 }, caller));
  const backMs: number[] = [];
  for (let round = 0; round < 6; round += 1) {
    await wait(150);
    await here.gateway.end('SIGKILL');
    here.gateway = await house.start(here.program);
    const since = performance.now();
    const from = agent.lines.length;
    await agent.line(({ value }) => value?.method === undefined && value?.id !== undefined, 'an answer', from);
    backMs.push(performance.now() - since);
  }
  over = true;
  await callers;
  assert.ok(Math.max(...backMs) < 5000, `${backMs.map(Math.round)} ms`);
  const ran = await here.ran();
  for (let n = 0; n < next; n += 1) assert.equal(ran.get(`n${n}`), 1, `n${n} ran ${ran.get(`n${n}`)} times`);
  assert.equal((await agent.told('far__pid')).pid, pid);
});
