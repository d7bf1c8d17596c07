// Servers that die, come back ill, answer badly: each idle, in flight and streaming, with agents of both eras. Who dies has a
// name of its own in each phase, for a server that dies often is left alone for two minutes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { campaign } from './campaign.ts';
import { Dice, seedOfRun } from './dice.ts';
import { AT_CALLS, AT_START, DEADLY_CALLS, type Fault, illAtCalls, illAtStart, serverKilled } from './faults.ts';
import { localGround } from './ground.ts';
import { type Phase, WHEN } from './phases.ts';
import { Scene } from './scene.ts';

const timeout = 200_000;
const callTimeout = '3s';
const DEADLY: readonly ((server: string) => Fault)[] = [
  serverKilled,
  ...DEADLY_CALLS.map((mood) => (server: string) => illAtCalls(server, mood)),
  ...AT_START.map((mood) => (server: string) => illAtStart(server, mood)),
];

test('servers that die or answer badly trouble only those who call them', { timeout }, async (t) => {
  const phases: Phase[] = DEADLY.flatMap((deadly, row) =>
    WHEN.map((when, column) => ({ fault: deadly(`s${row * WHEN.length + column}`), when })),
  );
  const more = phases.map((_, n) => `s${n}`);
  const harmless = AT_CALLS.flatMap((mood) => WHEN.map((when) => ({ fault: illAtCalls('own', mood), when })));
  await campaign(t, {
    seed: seedOfRun(),
    ground: localGround,
    phases: () => [...phases, ...harmless],
    options: { eras: ['legacy', 'modern'], callTimeout, more },
  });
});

test('the server of a bridge that dies or answers badly', { timeout }, async (t) => {
  const faults = [serverKilled('far'), ...AT_CALLS.map((mood) => illAtCalls('far', mood))];
  const phases = faults.map((fault, n) => ({ fault, when: WHEN[n % WHEN.length] ?? 'idle' }));
  await campaign(t, {
    seed: 2,
    ground: localGround,
    phases: () => phases,
    options: { eras: ['legacy', 'modern'], callTimeout },
  });
});

test('a server that dies in a call that may run again: it runs again, and its caller has the answer', {
  timeout,
}, async () => {
  await using ground = await localGround();
  const options = { eras: ['legacy', 'modern'], more: ['safe'], safe: ['safe'] } as const;
  await using scene = await Scene.open(ground, new Dice(5), options);
  for (const agent of scene.agents) {
    await scene.mood('safe', 'crash-once');
    const call = await scene.trouble('crash', 'safe', true, () => agent.call({ server: 'safe' }));
    assert.equal(call.outcome, 'ok', call.told);
    const runs = (await scene.ran()).filter(({ nonce }) => nonce === call.nonce);
    assert.equal(runs.length, 2);
  }
  assert.deepEqual(await scene.verdict(), []);
});
