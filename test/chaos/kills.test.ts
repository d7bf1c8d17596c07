// kill -9 of each program, under load of both eras, on the local overlay.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Dice, seedOfRun } from './dice.ts';
import { localGround } from './ground.ts';
import { Scene, SERVERS } from './scene.ts';

test('kill -9 of gateway and bridge under load', { timeout: 120_000 }, async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`CHAOS_SEED=${seed}`);
  const dice = new Dice(seed);
  await using ground = await localGround();
  await using scene = await Scene.open(ground, dice);
  await scene.settle();
  for (const actor of [scene.gateway, scene.bridge]) {
    const calls = scene.agents.flatMap((agent) =>
      Array.from({ length: 6 }, (_, n) =>
        agent.call({
          server: dice.pick(SERVERS),
          ms: dice.int(0, 500),
          steps: n % 2 ? 3 : 0,
          tool: n === 5 ? 'forbidden' : 'do',
        }),
      ),
    );
    await wait(dice.int(0, 200));
    await scene.trouble('kill -9', actor.name, true, async () => {
      await actor.kill();
      await actor.start();
    });
    await Promise.all(calls);
    t.diagnostic(`recovered in ${Math.round(await scene.settle())} ms`);
  }
  t.diagnostic(JSON.stringify(scene.ledger.tally()));
  assert.deepEqual(await scene.verdict(), []);
});
