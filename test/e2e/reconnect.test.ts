// The way between agent and server breaks, a host dies, goes or comes back: the agent's stdio stays, calls are carried over
// or answered as unknown, and none runs twice. What ran is read from the servers' own ledgers.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { type ServerScript, scriptedServer } from '@mcp-overlay/relay/testing';
import { CuttingProxy } from './cutting-proxy.ts';
import { type Command, House } from './harness.ts';
import { LineClient, type Reply, textOf } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';

const CALLS = process.env.TEST_LONG === undefined ? 300 : 2000;
const long = process.env.TEST_LONG === undefined ? { skip: 'takes a minute: TEST_LONG' } : {};

describe('a gateway that dies or goes', () => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    test(`${signal}, and a successor on the same share: the open call is unknown, the session is there again`, async () => {
      await using house = await House.open();
      const token = await house.createShare('steady');
      const backends = [stdioBackend('one'), stdioBackend('two')];
      const program = house.gatewayProgram(await house.config(backends, { share: { token } }));
      const gateway = await house.start(program);
      await using agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize({ experimental: { 'example.com/mine': {} } });
      await agent.toolNames();
      await agent.request('logging/setLevel', { level: 'warning' });
      await agent.request('resources/subscribe', { uri: 'one+scripted://text' });
      const open = agent.call('one__hang');
      const { pid } = await agent.told('one__pid');
      const from = agent.lines.length;
      assert.equal(await gateway.end(signal), signal === 'SIGTERM' ? 0 : null);
      const meanwhile = agent.call('one__pid');
      await house.start(program);
      const { error } = await open;
      assert.equal(error?.data?.error, 'outcome_unknown', JSON.stringify(error));
      assert.notEqual(textOf(await meanwhile).pid, pid);
      const seen = await agent.told('one__seen');
      assert.equal(seen.level, 'warning');
      assert.deepEqual(seen.subscriptions, ['scripted://text']);
      assert.match(JSON.stringify(seen.client), /example\.com\/mine/);
      await agent.heard('notifications/message', ({ data }) => /memory is gone/.test(String(data)), from);
      await agent.call('one__act', { acts: [{ do: 'update', uri: 'scripted://text' }] });
      await agent.heard('notifications/resources/updated', ({ uri }) => uri === 'one+scripted://text', from);
      assert.equal((await agent.told('two__echo', { nonce: 'fine' })).nonce, 'fine');
      assert.ok(!agent.lines.some(({ value }) => String(value?.method).endsWith('list_changed')));
    });
  }

  test('what is asked while it ends is not run there, waits, and is answered by the successor: also across a bridge', async () => {
    await using house = await House.open();
    const [token, near] = [await house.createShare('steady'), await house.createShare('near')];
    const { command, args } = scriptedServer({ name: 'near' });
    const bridgeProgram = house.program('bridge', '--overlay', 'local', '--share-token', near, command, ...args);
    const bridge = await house.start(bridgeProgram);
    const gatewayProgram = house.gatewayProgram(
      await house.config([stdioBackend('one'), shareBackend('far', near)], { share: { token } }),
    );
    const gateway = await house.start(gatewayProgram);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    for (const [host, share, program, backend] of [
      [gateway, token, gatewayProgram, 'one'],
      [bridge, near, bridgeProgram, 'far'],
    ] as const) {
      // Keeps it from ending at once.
      const open = agent.call(`${backend}__hang`);
      await agent.told(`${backend}__echo`, { nonce: 'before' });
      const ended = host.end('SIGTERM');
      // The first thing that it does: from here on it takes nothing new.
      while (existsSync(house.socket(share))) await wait(5);
      const late = Array.from({ length: 20 }, (_, n) => agent.call(`${backend}__echo`, { nonce: `late-${n}` }));
      assert.equal(await ended, 0);
      await house.start(program);
      for (const [n, reply] of (await Promise.all(late)).entries()) {
        assert.equal(reply.error, undefined, reply.raw);
        assert.equal(textOf(reply).nonce, `late-${n}`);
      }
      assert.equal((await open).error?.data?.error, 'outcome_unknown');
    }
  });

  test('the successor lists other tools: list_changed says so', async () => {
    await using house = await House.open();
    const token = await house.createShare('steady');
    const share = { share: { token } };
    const first = await house.start(house.gatewayProgram(await house.config([stdioBackend('one')], share)));
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    assert.ok((await agent.toolNames()).includes('env'));
    const from = agent.lines.length;
    await first.end('SIGKILL');
    const tools = { mode: 'deny', list: ['env'] };
    await house.start(house.gatewayProgram(await house.config([stdioBackend('one', {}, { tools })], share)));
    await agent.heard('notifications/tools/list_changed', () => true, from);
    assert.ok(!(await agent.toolNames()).includes('env'));
  });

  test('while it is down, requests of many kinds wait, and are answered when it is back', async () => {
    await using house = await House.open();
    const token = await house.createShare('steady');
    const program = house.gatewayProgram(
      await house.config([stdioBackend('one'), stdioBackend('two')], { share: { token } }),
    );
    const gateway = await house.start(program);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    await gateway.end('SIGKILL');
    // What is written before the break is noticed may have arrived: it would be unknown, not waiting.
    await agent.said(/link broken/);
    const waiting = [
      agent.call('one__echo', { nonce: 'a' }),
      agent.call('two__echo', { nonce: 'b' }),
      agent.request('tools/list'),
      agent.request('ping'),
      agent.request('resources/read', { uri: 'two+scripted://text' }),
    ];
    await house.start(program);
    for (const { raw, error } of await Promise.all(waiting)) assert.equal(error, undefined, raw);
  });

  test('while it is down, a request waits a minute, then it learns since when', long, async () => {
    await using house = await House.open();
    const token = await house.createShare('steady');
    const gateway = await house.start(
      house.gatewayProgram(await house.config([stdioBackend('one')], { share: { token } })),
    );
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const before = new Date().toISOString();
    await gateway.end('SIGKILL');
    await agent.said(/link broken/);
    const { error } = await agent.ask('"late"', 'tools/call', '{"name":"echo"}', 90_000);
    assert.equal(error?.data?.error, 'share_unreachable');
    assert.ok(String(error?.data?.since) >= before);
    assert.match(error?.message ?? '', /steady/);
  });

  test('an agent that starts before the gateway waits for it', async () => {
    await using house = await House.open();
    const token = await house.createShare('later');
    await using agent = LineClient.spawn(house.agentProgram(token));
    const ready = agent.initialize();
    await house.start(house.gatewayProgram(await house.config([stdioBackend('one')], { share: { token } })));
    await ready;
    assert.equal((await agent.told('echo', { nonce: 1 })).nonce, 1);
  });

  test('three times in a row', async () => {
    await using house = await House.open();
    const token = await house.createShare('steady');
    const program = house.gatewayProgram(await house.config([stdioBackend('one')], { share: { token } }));
    let gateway = await house.start(program);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    for (const round of [1, 2, 3]) {
      assert.equal((await agent.told('echo', { nonce: round })).nonce, round);
      await gateway.end('SIGKILL');
      gateway = await house.start(program);
    }
    assert.equal((await agent.told('counter')).count, 1);
  });
});

describe('a bridge that dies or goes behind a living gateway', () => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    test(`${signal}, and a successor: the open call is unknown, the next one works, the others never notice`, async () => {
      await using house = await House.open();
      const token = await house.createShare('box');
      const server = scriptedServer({ name: 'far' });
      const program = house.program(
        'bridge',
        '--overlay',
        'local',
        '--share-token',
        token,
        server.command,
        ...server.args,
      );
      const bridge = await house.start(program);
      const gateway = await house.gateway([shareBackend('far', token), stdioBackend('near')]);
      await using agent = LineClient.spawn(house.agentProgram(gateway));
      await agent.initialize();
      const { pid } = await agent.told('near__pid');
      const open = agent.call('far__hang');
      const { pid: before } = await agent.told('far__pid');
      await bridge.end(signal);
      assert.equal((await agent.told('near__pid')).pid, pid);
      const meanwhile = agent.call('far__pid');
      await house.start(program);
      const { error } = await open;
      assert.equal(error?.data?.error, 'outcome_unknown', JSON.stringify(error));
      assert.notEqual(textOf(await meanwhile).pid, before);
      assert.equal((await agent.told('near__pid')).pid, pid);
      await house.untilStatus(gateway, (s) => s.backends.every(({ state }) => state === 'up'));
    });
  }
});

describe('a way that is cut', () => {
  interface Cuttable {
    readonly agent: LineClient;
    readonly proxy: CuttingProxy;
    readonly ledger: string;
  }

  /** Runs `work` with a cut-able way at this hop: agent to gateway, or gateway to bridge. */
  async function through(
    hop: 'agent' | 'bridge',
    script: ServerScript,
    work: (at: Cuttable) => Promise<void>,
  ): Promise<void> {
    await using house = await House.open();
    const ledger = join(house.home, 'ledger.jsonl');
    const server = scriptedServer({ name: 'far', ledger, ...script });
    const bridge = await house.bridge(server.command, ...server.args);
    const backends = [shareBackend('far', bridge), stdioBackend('near')];
    const far = hop === 'agent' ? await house.gateway(backends) : bridge;
    // Who dials through the proxy has a state folder of its own.
    const here = join(house.home, 'here');
    const from = (program: Command): Command => ({ ...program, env: { ...program.env, MCP_OVERLAY_HOME: here } });
    await mkdir(here, { mode: 0o700 });
    await using proxy = await CuttingProxy.between(join(here, 'run', `${far}.sock`), house.socket(far));
    const token =
      hop === 'agent'
        ? far
        : (await house.start(from(house.gatewayProgram(await house.config(backends))))).ready.share_token;
    await using agent = LineClient.spawn(from(house.agentProgram(token ?? '')));
    await agent.initialize({ roots: {} });
    await work({ agent, proxy, ledger });
  }

  for (const hop of ['agent', 'bridge'] as const) {
    test(`between ${hop === 'agent' ? 'agent and gateway' : 'gateway and bridge'}, again and again: no call is lost, none runs twice`, async () => {
      await through(hop, {}, async ({ agent, proxy, ledger }) => {
        await agent.told('far__echo', { nonce: 'first' });
        const { pid } = await agent.told('far__pid');
        proxy.cutAfterSome(500, 30_000);
        let next = 0;
        const caller = async (): Promise<void> => {
          while (next < CALLS) {
            const nonce = `n${next++}`;
            const told = await agent.told('far__echo', { nonce, payload: 'x'.repeat((next * 37) % 2000) });
            assert.equal(told.nonce, nonce);
          }
        };
        await Promise.all(Array.from({ length: 8 }, caller));
        proxy.stopCutting();
        assert.ok(proxy.cuts >= 5, `${proxy.cuts} cuts`);
        // The very same child: links were resumed, no session was rebuilt.
        assert.equal((await agent.told('far__pid')).pid, pid);
        const ran = await noncesIn(ledger);
        for (let n = 0; n < CALLS; n += 1) assert.equal(ran.get(`n${n}`), 1, `n${n} ran ${ran.get(`n${n}`)} times`);
      });
    });

    test(`between ${hop === 'agent' ? 'agent and gateway' : 'gateway and bridge'}, while a call is open: its result and its progress arrive`, async () => {
      await through(hop, {}, async ({ agent, proxy, ledger }) => {
        await agent.told('far__echo', {});
        const from = agent.lines.length;
        const open = agent.call('far__progress', { steps: 20, everyMs: 100, nonce: 'open' }, { progressToken: 'p' });
        await agent.heard('notifications/progress', ({ progress }) => progress === 2, from);
        proxy.sever();
        const meanwhile = agent.told('far__echo', { nonce: 'meanwhile' });
        await wait(500);
        proxy.restore();
        assert.equal((await open).error, undefined);
        assert.equal((await meanwhile).nonce, 'meanwhile');
        const steps = agent.lines.slice(from).flatMap(({ value }) => {
          return value?.method === 'notifications/progress' ? [(value.params as { progress: number }).progress] : [];
        });
        assert.deepEqual(
          steps,
          Array.from({ length: 20 }, (_, n) => n + 1),
        );
        assert.equal((await noncesIn(ledger)).get('open'), 1);
      });
    });
  }

  test('a large result that is cut many times arrives whole', async () => {
    await through('agent', {}, async ({ agent, proxy }) => {
      const bytes = 6 * 1024 * 1024;
      await agent.told('far__echo', {});
      proxy.cutAfterSome(1024 * 1024, 2 * 1024 * 1024 + 512 * 1024);
      const { result, error } = await whileCut(agent.call('far__big', { bytes }), proxy, 3);
      assert.equal(error, undefined);
      const { content } = result as unknown as { content: readonly [{ text: string }] };
      const [{ text }] = content;
      assert.equal(text.length, bytes);
      assert.ok(/^x+$/.test(text));
      assert.ok(proxy.cuts >= 1);
    });
  });

  test("a server's question and its answer survive a cut", async () => {
    await through('agent', {}, async ({ agent, proxy }) => {
      let answer: () => void = () => {};
      agent.answers.set('roots/list', async () => {
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        return { roots: [{ uri: 'file:///after/the/cut' }] };
      });
      const asking = agent.call('far__ask', { method: 'roots/list' });
      await agent.line(({ value }) => value?.method === 'roots/list', 'roots/list');
      proxy.sever();
      answer();
      await wait(200);
      proxy.restore();
      assert.match((await asking).raw, /after\/the\/cut/);
      assert.equal(agent.asked.length, 1);
    });
  });
});

/** Cutting ends after some cuts: a message longer than each stretch would never pass whole otherwise. */
async function whileCut(reply: Promise<Reply>, proxy: CuttingProxy, cuts: number): Promise<Reply> {
  const stop = setInterval(() => {
    if (proxy.cuts >= cuts) proxy.stopCutting();
  }, 20);
  try {
    return await reply;
  } finally {
    clearInterval(stop);
  }
}

async function noncesIn(ledger: string): Promise<Map<string, number>> {
  const lines = (await readFile(ledger, 'utf8')).trim().split('\n');
  const counts = new Map<string, number>();
  for (const line of lines) {
    const { event, nonce } = JSON.parse(line) as { event: string; nonce: string | null };
    if (event === 'call' && nonce !== null) counts.set(nonce, (counts.get(nonce) ?? 0) + 1);
  }
  return counts;
}
