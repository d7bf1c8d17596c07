// The lower rungs of a child's end: SIGTERM, a grace, SIGKILL, and a look whether anybody is left.
// The top rung (end of its input) belongs to the transport, which owns the pipe.

import { setTimeout as delay } from 'node:timers/promises';
import { type Wait, wait, within } from '../../wait.ts';
import type { Family } from './family.ts';

/** A process killed by SIGKILL is gone within milliseconds unless the kernel itself holds it (a dead network disk). */
const KILL_ROUNDS = 12;
const FIRST_LOOK_MS = 10;
const MAX_LOOK_MS = 100;

export interface EndOptions {
  readonly family: Family;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** Not looked for while it is pending: the child itself still lives. */
  readonly exited: Promise<unknown>;
}

/** Ends every process of the family. Returns those that even SIGKILL did not end: normally none. */
export async function endFamily({ family, graceMs, exited }: EndOptions): Promise<number[]> {
  if ((await family.living()).length === 0) return [];
  family.signal('SIGTERM');
  const grace = wait(graceMs);
  try {
    if (await goneBefore(family, grace, exited)) return [];
  } finally {
    grace.cancel();
  }
  let left: number[] = [];
  for (let round = 0; round < KILL_ROUNDS; round += 1) {
    // Look, strike, look: whoever was born outside the group between two looks is struck in the next round.
    left = await family.living();
    if (left.length === 0) return [];
    family.signal('SIGKILL');
    await delay(Math.min(MAX_LOOK_MS, FIRST_LOOK_MS * 2 ** round));
  }
  return family.living();
}

async function goneBefore(family: Family, grace: Wait, exited: Promise<unknown>): Promise<boolean> {
  let over = false;
  grace.over.then(() => {
    over = true;
  });
  await Promise.race([exited, grace.over]);
  for (let look = FIRST_LOOK_MS; !over; look = Math.min(MAX_LOOK_MS, look * 2)) {
    if ((await family.living()).length === 0) return true;
    await within(look, grace.over);
  }
  return false;
}
