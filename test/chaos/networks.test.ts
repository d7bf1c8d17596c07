// The same over OpenZiti and zrok: programs killed and frozen, the router and the controller lost, idle, in flight and
// streaming. What the network alone can do is told in test/e2e/network-chaos.test.ts.

import { test } from 'node:test';
import { all, campaign } from './campaign.ts';
import { seedOfRun } from './dice.ts';
import { FREEZES, KILLS, ways } from './faults.ts';
import type { Ground } from './ground.ts';
import { zitiGround, zrokGround } from './networks.ts';
import { type Phase, WHEN } from './phases.ts';

const timeout = 200_000;
const eras = ['legacy', 'modern'] as const;

/** Each fault once; when is dealt out, so that each when has its turn. */
function dealt({ troubles }: Ground): Phase[] {
  const faults = [...KILLS, ...FREEZES.slice(0, 2)];
  return [
    ...faults.map((fault, n) => ({ fault, when: WHEN[n % WHEN.length] ?? 'idle' })),
    ...all(ways(troubles), WHEN),
  ];
}

test('over OpenZiti', { timeout }, async (t) => {
  await campaign(t, { seed: seedOfRun(), ground: zitiGround, phases: dealt, options: { eras } });
});

test('over zrok', { timeout }, async (t) => {
  await campaign(t, { seed: 3, ground: zrokGround, phases: dealt, options: { eras } });
});
