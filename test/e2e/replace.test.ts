// Upgrades under load, with the built programs: a gateway that is replaced, and one that is drained, lose no call, and no
// call runs twice. Three ledgers: what the agents heard, what the server wrote down, what the audit logs hold.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { House, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { Load } from './load.ts';
import { commandBackend, fixture } from './servers.ts';

const AGENTS = 3;

describe('an upgrade under load', () => {
  test('run --replace, twice: every call is answered and ran once, agents move, the old one ends with 0', async () => {
    await using house = await House.open();
    const { token, config, ledger } = await ledgerHouse(house);
    const first = await house.start(house.gatewayProgram(config));
    const agents = Array.from({ length: AGENTS }, () => LineClient.spawn(house.agentProgram(token)));
    const load = new Load(agents);
    try {
      await Promise.all(agents.map((agent) => agent.initialize()));
      load.begin();
      // One that is open all the while, in a session that has others too.
      const long = agents[0]?.told('note', { nonce: 'long', ms: 6000 });
      await load.answered(60);
      const second = await house.start(house.gatewayProgram(config, '--replace'));
      assert.equal((await house.status(token)).pid, second.pid);
      assert.equal((await long)?.nonce, 'long');
      assert.equal(await first.ended, 0, first.stderr());
      await load.answered(60);
      const third = await house.start(house.gatewayProgram(config, '--replace', '--within', '1m'));
      assert.equal(await second.ended, 0, second.stderr());
      load.pids.clear();
      await load.answered(60);
      assert.equal((await house.status(token)).sessions.length, AGENTS);
      assert.equal(load.pids.size, AGENTS, 'each session has a server of its own, at the third');
      const nonces = await load.end();
      const ran = (await readFile(ledger, 'utf8')).trim().split('\n');
      assert.deepEqual(ran.sort(), [...nonces, 'long'].sort());
      assert.equal(await third.end(), 0);
      const verified = await runToEnd(house.program('gateway', 'audit', 'verify'));
      assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    } finally {
      for (const agent of agents) await agent[Symbol.asyncDispose]();
    }
  });
});

describe('a gateway that is drained', () => {
  test('an ordinary start takes its share while the last call finishes; what agents ask meanwhile is answered there', async () => {
    await using house = await House.open();
    const { token, config } = await ledgerHouse(house);
    const first = await house.start(house.gatewayProgram(config));
    await using agent = LineClient.spawn(house.agentProgram(token));
    await using busy = LineClient.spawn(house.agentProgram(token));
    await Promise.all([agent.initialize(), busy.initialize()]);
    const { pid } = await agent.told('note', { nonce: 'before' });
    const long = busy.told('note', { nonce: 'long', ms: 5000 });
    await house.untilStatus(token, ({ calls }) => calls.open === 1);
    const drained = runToEnd(house.program('gateway', 'drain', token, '--json'));
    // Its session has no open call: it is told to come back, and waits for who comes.
    await agent.said(/link broken/);
    const meanwhile = agent.told('note', { nonce: 'meanwhile' });
    const second = await house.start(house.gatewayProgram(config));
    assert.notEqual((await meanwhile).pid, pid);
    const { predecessors } = (await house.status(token)) as unknown as Predecessors;
    assert.equal(predecessors[0]?.pid, first.pid);
    assert.equal(predecessors[0]?.leaving.successor, second.pid);
    assert.deepEqual(
      predecessors[0]?.leaving.open.map(({ target }) => target),
      ['note'],
    );
    assert.equal((await long).nonce, 'long');
    assert.equal(await first.ended, 0, first.stderr());
    const { code, stdout } = await drained;
    assert.equal(code, 0, stdout);
    assert.match(stdout, /"cut": 0/);
    assert.equal((await busy.told('note', { nonce: 'after' })).nonce, 'after');
  });

  test('what is open when the time is up is cut, and said: the caller knows that its outcome is unknown', async () => {
    await using house = await House.open();
    const { token, config, ledger } = await ledgerHouse(house);
    const gateway = await house.start(house.gatewayProgram(config));
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const long = agent.call('note', { nonce: 'long', ms: 60_000 });
    await house.untilStatus(token, ({ calls }) => calls.open === 1);
    const { code, stdout } = await runToEnd(house.program('gateway', 'drain', token, '--within', '500ms'));
    assert.equal(await gateway.ended, 0, gateway.stderr());
    assert.equal(code, 1, stdout);
    assert.match(stdout, /1 call is open, cut at .*\n {2}tools\/call ledger\/note of session 1, owner, since/);
    assert.match(stdout, /is drained; the time was up, 1 call was cut:/);
    // Whoever comes next knows from the ledger that it began.
    await house.start(house.gatewayProgram(config));
    assert.equal((await long).error?.data?.error, 'outcome_unknown');
    assert.equal((await readFile(ledger, 'utf8')).trim(), 'long', 'and it is not run again');
  });
});

describe('a gateway with shares of views', () => {
  test('all of them change hands; one that a stranger hosts is nobody’s to take', async () => {
    await using house = await House.open();
    for (const name of ['steady', 'calm', 'strange']) await house.createShare(name);
    const ledger = join(house.home, 'ledger');
    const backends = [commandBackend('ledger', fixture('ledger-server.mjs', ledger))];
    const rules = { roles: { all: [{ allow: { tools: ['*'] } }] }, identities: { owner: ['all'] } };
    const show = [{ tools: ['note'] }];
    const shown = (token: string) => ({
      share: { token: 'steady' },
      ...rules,
      views: { calm: { show, share: { token } } },
    });
    const config = await house.config(backends, shown('calm'));
    const first = await house.start(house.gatewayProgram(config));
    const stranger = await house.start(
      house.gatewayProgram(await house.config(backends, { share: { token: 'strange' } })),
    );
    await using agent = LineClient.spawn(house.agentProgram('calm'));
    await agent.initialize();
    const { pid } = await agent.told('note', { nonce: '1' });
    const thief = await runToEnd(house.gatewayProgram(await house.config(backends, shown('strange')), '--replace'));
    assert.equal(thief.code, 1, thief.stderr);
    assert.match(thief.stderr, /share strange is hosted by a running program \(share_in_use\)/);
    assert.equal((await agent.told('note', { nonce: '2' })).pid, pid, 'and the first one goes on');
    await house.start(house.gatewayProgram(config, '--replace'));
    assert.equal(await first.ended, 0, first.stderr());
    assert.notEqual((await agent.told('note', { nonce: '3' })).pid, pid);
    assert.equal((await house.status('strange')).pid, stranger.pid);
  });
});

describe('a successor that comes to nothing', () => {
  test('killed while it waits for a backend: the first one serves on, keeps its share, and can be replaced later', async () => {
    await using house = await House.open();
    const { token, config, ledger } = await ledgerHouse(house);
    const first = await house.start(house.gatewayProgram(config));
    await house.untilStatus(token, ({ backends }) => backends[0]?.state === 'up');
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const { pid } = await agent.told('note', { nonce: '1' });
    // Never answers, so the successor waits for it.
    const silent = { command: process.execPath, args: ['-e', 'process.stdin.resume()'] };
    const waiting = house.gatewayProgram(
      await house.config([commandBackend('ledger', silent)], { share: { token } }),
      '--replace',
    );
    const { command, args, env } = waiting;
    const successor = spawn(command, [...args], { env: { ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
    const gone = once(successor, 'close');
    await saidBy(successor.stderr, /overlay chosen/);
    await refusedOrder(house, token);
    successor.kill('SIGKILL');
    await gone;
    assert.equal((await agent.told('note', { nonce: '2' })).pid, pid);
    await using other = LineClient.spawn(house.agentProgram(token));
    await other.initialize();
    assert.equal((await other.told('note', { nonce: '3' })).nonce, '3');
    const second = await house.start(house.gatewayProgram(config, '--replace'));
    assert.equal(await first.ended, 0, first.stderr());
    assert.equal((await agent.told('note', { nonce: '4' })).nonce, '4');
    assert.equal((await house.status(token)).pid, second.pid);
    assert.equal((await readFile(ledger, 'utf8')).trim().split('\n').length, 4);
  });
});

interface Predecessors {
  readonly predecessors: readonly {
    readonly pid: number;
    readonly leaving: { readonly successor: number; readonly open: readonly { readonly target: string }[] };
  }[];
}

async function ledgerHouse(house: House): Promise<{ token: string; config: string; ledger: string }> {
  const token = await house.createShare('steady');
  const ledger = join(house.home, 'ledger');
  const backends = [commandBackend('ledger', fixture('ledger-server.mjs', ledger))];
  return { token, ledger, config: await house.config(backends, { share: { token } }) };
}

async function saidBy(stream: Readable, pattern: RegExp): Promise<void> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (pattern.test(text)) return;
  }
  throw new Error(`${pattern} was not said\n${text}`);
}

/** Until the first one has agreed: from then on it takes no orders that the successor would not know of. */
async function refusedOrder(house: House, token: string): Promise<void> {
  const order = house.program('gateway', 'peers', 'allow', 'x509:CN=somebody', '--share', token);
  for (;;) {
    const { code, stderr } = await runToEnd(order);
    if (code === 0) continue;
    assert.match(stderr, /successor_waits/);
    return;
  }
}
