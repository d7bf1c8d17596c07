// Agents that call a ledger server (fixtures/ledger-server.mjs) without a break, and look at each answer.

import assert from 'node:assert/strict';
import { type LineClient, textOf } from './line-client.ts';

/** Calls that each agent has open at the same time. */
const LANES = 3;

/** Agents that call without a break. */
export class Load {
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
