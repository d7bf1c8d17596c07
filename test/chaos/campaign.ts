// A campaign: phases one after the other in one town, in an order that the seed gives, and the verdict on all of it.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { Dice } from './dice.ts';
import type { Fault } from './faults.ts';
import type { Ground } from './ground.ts';
import { settled } from './leftovers.ts';
import { type Phase, pass, type When } from './phases.ts';
import { Scene, type SceneOptions } from './scene.ts';

/** What a fault lasts in CI. */
export const SHORT_MS = 500;

export interface Campaign {
  readonly seed: number;
  readonly ground: () => Promise<Ground>;
  readonly phases: (ground: Ground) => readonly Phase[];
  readonly options?: SceneOptions;
  /** How long what was held may be held on. */
  readonly settleMs?: number;
}

export function all(faults: readonly Fault[], whens: readonly When[]): Phase[] {
  return faults.flatMap((fault) => whens.map((when) => ({ fault, when })));
}

export async function campaign(
  t: TestContext,
  { seed, ground: open, phases, options, settleMs }: Campaign,
): Promise<Scene> {
  t.diagnostic(`CHAOS_SEED=${seed}`);
  const dice = new Dice(seed);
  await using ground = await open();
  await using scene = await Scene.open(ground, dice, options);
  await scene.settle();
  const before = await settled(scene);
  const slowest = { ms: 0, of: '' };
  for (const phase of dice.shuffled(phases(ground))) {
    const of = `${phase.fault.name}, ${phase.when}`;
    const from = performance.now();
    const wellMs = await pass(scene, phase, SHORT_MS).catch((error) => {
      throw new Error(`seed ${seed}: ${of}`, { cause: error });
    });
    if (process.env.CHAOS_TELL)
      t.diagnostic(`${of}: ${Math.round(performance.now() - from)}, ${Math.round(wellMs)} ms`);
    if (wellMs > slowest.ms) Object.assign(slowest, { ms: wellMs, of });
  }
  t.diagnostic(
    `${JSON.stringify(scene.ledger.tally())}; slowest to be well: ${Math.round(slowest.ms)} ms, ${slowest.of}`,
  );
  assert.deepEqual(await scene.verdict(), [], `seed ${seed}`);
  // A broken session is kept for a minute, for an agent whose program was killed might have been one that only moved.
  const left = scene.troubles.some(({ of }) => of.startsWith('tools:'));
  if (!left || settleMs !== undefined) {
    assert.deepEqual(await settled(scene, before, settleMs), before, `seed ${seed}: I8`);
  }
  return scene;
}
