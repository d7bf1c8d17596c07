// Upgrades under load, with the built programs: a gateway that is replaced, and one that is drained, lose no call, and no
// call runs twice. Three ledgers: what the agents heard, what the server wrote down, what the audit logs hold.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { House, runToEnd } from './harness.ts';
import { LineClient, textOf } from './line-client.ts';
import { commandBackend, fixture } from './servers.ts';

const AGENTS = 3;
/** Calls that each agent has open at the same time. */
const LANES = 3;

describe('an upgrade under load', () => {
  test('run --replace, twice: every call is answered and ran once, agents move, the old one ends with 0', async () => {
    await using house = await House.open();
    const token = await house.createShare('steady');
    const ledger = join(house.home, 'ledger');
    const backends = [commandBackend('ledger', fixture('ledger-server.mjs', ledger))];
    const config = await house.config(backends, { share: { token } });
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

/** Agents that call without a break. */
class Load {
  readonly #agents: readonly LineClient[];
  readonly #nonces: string[] = [];
  /** Of the servers that answered. */
  readonly pids = new Set<unknown>();
  #lanes: Promise<void>[] = [];
  #over = false;
  #wake: () => void = () => {};

  constructor(agents: readonly LineClient[]) {
    this.#agents = agents;
  }

  begin(): void {
    this.#lanes = this.#agents.flatMap((agent, a) =>
      Array.from({ length: LANES }, (_, lane) => this.#lane(agent, `${a}-${lane}`)),
    );
    for (const lane of this.#lanes) lane.catch(() => this.#wake());
  }

  /** When so many more were. */
  async answered(more: number): Promise<void> {
    const wanted = this.#nonces.length + more;
    while (this.#nonces.length < wanted) {
      const next = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await Promise.race([next, ...this.#lanes.map((lane) => lane.then(() => next))]);
    }
  }

  /** The nonces of all calls; rejects if one failed. */
  async end(): Promise<readonly string[]> {
    this.#over = true;
    await Promise.all(this.#lanes);
    return this.#nonces;
  }

  async #lane(agent: LineClient, name: string): Promise<void> {
    for (let n = 0; !this.#over; n += 1) {
      const nonce = `${name}-${n}`;
      const reply = await agent.call('note', { nonce, ms: (n * 7) % 40 });
      assert.equal(reply.error, undefined, reply.raw);
      const told = textOf(reply);
      assert.equal(told.nonce, nonce);
      this.pids.add(told.pid);
      this.#nonces.push(nonce);
      this.#wake();
    }
  }
}
