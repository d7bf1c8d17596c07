// Every program killed, ended and frozen, every way cut and silent, disk and descriptors used up, a second gateway: each
// idle, in flight and streaming, on the local overlay with agents of both eras.

import { test } from 'node:test';
import { all, campaign } from './campaign.ts';
import { seedOfRun } from './dice.ts';
import { FREEZES, KILLS, MACHINE, POLITE, ways } from './faults.ts';
import { type Ground, localGround } from './ground.ts';
import { WHEN } from './phases.ts';

const timeout = 200_000;

test('kills and ends of programs: once each, and said where nobody can know', { timeout }, async (t) => {
  const phases = () => all([...KILLS, ...POLITE], WHEN);
  await campaign(t, { seed: 1, ground: localGround, phases, options: { eras: ['legacy', 'modern'] } });
});

test('freezes, cuts, silence, a full disk, no descriptors, a second gateway', { timeout }, async (t) => {
  const phases = ({ troubles }: Ground) => all([...FREEZES, ...MACHINE, ...ways(troubles)], WHEN);
  await campaign(t, { seed: seedOfRun(), ground: localGround, phases, options: { eras: ['legacy', 'modern'] } });
});
