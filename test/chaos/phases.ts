// One fault at one time: what is open when it happens, and that all is well again afterwards.

import { setTimeout as wait } from 'node:timers/promises';
import type { SentCall } from './client-ledger.ts';
import type { Fault } from './faults.ts';
import { type Scene, SERVERS } from './scene.ts';

export const WHEN = ['idle', 'in flight', 'streaming'] as const;
export type When = (typeof WHEN)[number];

/** Longest that anything takes to be well again. */
const WELL_MS = 30_000;
const CALLS_OF_EACH = 4;

export interface Phase {
  readonly fault: Fault;
  readonly when: When;
}

/** Resolves with how long it took until all was well. */
export async function pass(scene: Scene, { fault, when }: Phase, longestMs: number): Promise<number> {
  const open = when === 'idle' ? [] : load(scene, fault.servers ?? SERVERS, when === 'streaming');
  if (when !== 'idle') await wait(scene.dice.int(0, 150));
  await fault.make(scene, longestMs);
  await Promise.all(open);
  return well(scene, [...new Set([...(fault.servers ?? []), ...SERVERS])]);
}

function load({ agents, dice }: Scene, servers: readonly string[], streaming: boolean): Promise<SentCall>[] {
  return agents.flatMap((agent) =>
    Array.from({ length: CALLS_OF_EACH }, (_, n) =>
      agent.call({
        server: servers[n] ?? dice.pick(SERVERS),
        ms: dice.int(0, 600),
        steps: streaming ? dice.int(2, 12) : 0,
        tool: dice.chance(0.05) ? 'forbidden' : 'do',
      }),
    ),
  );
}

/** Asks until every server answers every agent. */
async function well(scene: Scene, servers: readonly string[]): Promise<number> {
  const from = performance.now();
  let left = scene.agents.flatMap((agent) => servers.map((server) => ({ agent, server })));
  for (;;) {
    const calls = await Promise.all(left.map(({ agent, server }) => agent.call({ server })));
    left = left.filter((_, at) => calls[at]?.outcome !== 'ok');
    const tookMs = performance.now() - from;
    if (left.length === 0) return tookMs;
    if (tookMs > WELL_MS) throw new Error(`not well: ${JSON.stringify(calls.at(-1))}\n${scene.said()}`);
    await wait(100);
  }
}
