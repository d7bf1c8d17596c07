// The same over OpenZiti and zrok: programs killed and frozen, the router and the controller lost, idle, in flight and
// streaming. What the network alone can do is told in test/e2e/network-chaos.test.ts.

import { test } from 'node:test';
import { campaign } from './campaign.ts';
import { seedOfRun } from './dice.ts';
import { AGENTS, FREEZES, KILLS, ways } from './faults.ts';
import type { Ground } from './ground.ts';
import { zitiGround, zrokGround } from './networks.ts';
import { type Phase, WHEN } from './phases.ts';

const timeout = 200_000;
const eras = ['legacy', 'modern'] as const;

/** Each fault once, and when is dealt out from `from` on: two networks and two seeds make the rounds. */
function dealt({ troubles }: Ground, from: number): Phase[] {
  const faults = [...KILLS, ...AGENTS.slice(0, 1), ...FREEZES.slice(0, 2), ...ways(troubles)];
  return faults.map((fault, n) => ({ fault, when: WHEN[(n + from) % WHEN.length] ?? 'idle' }));
}

test('over OpenZiti', { timeout }, async (t) => {
  await campaign(t, { seed: seedOfRun(), ground: zitiGround, phases: (ground) => dealt(ground, 0), options: { eras } });
});

test('over zrok', { timeout }, async (t) => {
  await campaign(t, { seed: 3, ground: zrokGround, phases: (ground) => dealt(ground, 1), options: { eras } });
});
