// Sessions of agents whose programs were killed end after a minute, and nothing is left of them.

import { test } from 'node:test';
import { all, campaign } from './campaign.ts';
import { AGENTS } from './faults.ts';
import { localGround } from './ground.ts';
import { WHEN } from './phases.ts';

const timeout = 200_000;
/** A broken session is kept for a minute. */
const KEPT_MS = 80_000;

test('agents’ programs killed and frozen: what they left is gone after a minute', { timeout }, async (t) => {
  const phases = () => all(AGENTS, WHEN);
  const options = { eras: ['legacy', 'modern'] } as const;
  await campaign(t, { seed: 4, ground: localGround, phases, options, settleMs: KEPT_MS });
});
