// A way that somebody on it has forgotten: open at both ends, and dead. Links find that out by pings within 45 s.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Dice, seedOfRun } from './dice.ts';
import { localGround } from './ground.ts';
import { Scene, SERVERS } from './scene.ts';

const timeout = 200_000;
/** Three pings of 15 s without an answer; then it is dialled again. */
const FOUND_MS = 55_000;

test('connections that are half open are found, and calls that were on their way are answered', {
  timeout,
}, async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`CHAOS_SEED=${seed}`);
  await using ground = await localGround();
  await using scene = await Scene.open(ground, new Dice(seed), {
    eras: ['legacy', 'modern'],
    deadlineMs: 120_000,
    callTimeout: '100s',
  });
  await scene.settle();
  const from = performance.now();
  const open = scene.agents.flatMap((agent) => SERVERS.map((server) => agent.call({ server, ms: 400, steps: 4 })));
  ground.forget();
  const late = scene.agents.flatMap((agent) => SERVERS.map((server) => agent.call({ server })));
  const calls = await Promise.all([...open, ...late]);
  const tookMs = performance.now() - from;
  t.diagnostic(`answered after ${Math.round(tookMs)} ms`);
  assert.deepEqual(new Set(calls.map(({ outcome }) => outcome)), new Set(['ok']));
  assert.ok(tookMs < FOUND_MS, `${tookMs} ms`);
  assert.deepEqual(await scene.verdict(), []);
});
