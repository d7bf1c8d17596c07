// `npm run soak -- --minutes N [--seed S] [--every SECONDS]`: mixed load of both eras, sessions that come and go, and a fault
// every so often; then the verdict of the oracle and the slope of the heaps, in one summary. Exit 1 if anything is wrong.

import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Dice, seedOfRun } from './dice.ts';
import {
  AGENTS,
  AT_CALLS,
  type Fault,
  FREEZES,
  illAtCalls,
  KILLS,
  MACHINE,
  POLITE,
  serverKilled,
  ways,
} from './faults.ts';
import { localGround } from './ground.ts';
import { probed, sample, samplesOf, slope } from './heap.ts';
import { type Holdings, settled } from './leftovers.ts';
import { Scene, SERVERS } from './scene.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    seed: { type: 'string' },
    every: { type: 'string', default: '30' },
  },
});
const minutes = Number(values.minutes);
const everyMs = Number(values.every) * 1000;
const seed = values.seed === undefined ? seedOfRun() : Number(values.seed);
if (!(minutes > 0) || !(everyMs > 0) || !Number.isSafeInteger(seed))
  throw new Error('--minutes, --every and --seed are numbers');

const ERAS = ['legacy', 'modern', 'legacy', 'modern'] as const;
const CALLERS = 2;
const SAMPLE_MS = 15_000;
/** Bytes a minute that are none: what garbage collection leaves differs from look to look. */
const FLAT = 64 * 1024;
/** A broken session of a killed agent is kept for a minute. */
const REST_MS = 100_000;
/** Freezes last from a second to longer than every probe of a link. */
const FREEZES_MS = [1000, 3000, 10_000, 30_000, 90_000];

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const started = Date.now();
const mbs = (bytes: number): string => (bytes / 2 ** 20).toFixed(2);

async function soak(): Promise<boolean> {
  say(`CHAOS_SEED=${seed}, ${minutes} minutes, a fault every ${everyMs / 1000} s`);
  const dice = new Dice(seed);
  await using ground = await localGround();
  const heapFile = join(ground.house.home, 'heap.jsonl');
  const watched = {
    ...ground,
    gatewayProgram: (file: string, ...flags: string[]) => probed(ground.gatewayProgram(file, ...flags), heapFile),
  };
  const bridgeProgram = (...server: string[]) => probed(ground.bridgeProgram(...server), heapFile);
  await using scene = await Scene.open({ ...watched, bridgeProgram }, dice, {
    eras: ERAS,
    deadlineMs: 180_000,
    callTimeout: '30s',
    // So that what is kept of outcomes is soon as much as it ever will be.
    config: { once: { keep: '1m' } },
  });
  await scene.settle();
  const before = await settled(scene);
  const until = Date.now() + minutes * 60_000;
  const over = new AbortController();
  const work = [
    ...scene.agents.flatMap((agent) => Array.from({ length: CALLERS }, () => caller(scene, agent, over.signal))),
    churn(scene, over.signal),
    samples(scene, heapFile, over.signal),
  ];
  const faults = await trouble(scene, dice, until);
  over.abort();
  await Promise.all(work);
  const wellMs = await well(scene);
  const findings = await scene.verdict();
  const after = await settled(scene, before, REST_MS);
  if (!same(after, before))
    findings.push({ inv: 'I8', text: `${JSON.stringify(after)}, at the start ${JSON.stringify(before)}` });
  const all = await samplesOf(heapFile);
  for (const actor of [scene.gateway, scene.bridge]) {
    const { perMinute, minutes: long, first, last } = slope(all.filter(({ pid }) => actor.pids.includes(pid)));
    say(
      `heap of the ${actor.name} after GC: ${mbs(first)} to ${mbs(last)} MiB in a life of ${long.toFixed(1)} min, ${(perMinute / 1024).toFixed(1)} KiB a minute`,
    );
    if (perMinute > FLAT && last > first * 1.1)
      findings.push({ inv: 'I8', text: `the heap of the ${actor.name} grows` });
  }
  say(
    `calls: ${JSON.stringify(scene.ledger.tally())}; ${faults} faults; well again within ${Math.round(wellMs)} ms at the end`,
  );
  say(
    `lives: gateway ${scene.gateway.lives}, bridge ${scene.bridge.lives}, agents ${scene.agents.map(({ lives }) => lives)}`,
  );
  for (const { inv, text } of findings) say(`${inv}: ${text}`);
  say(findings.length === 0 ? 'all invariants hold' : `${findings.length} findings; again with --seed ${seed}`);
  return findings.length === 0;
}

/** Programs die in the first half only: what lives through the second half shows whether a heap grows. */
async function trouble(scene: Scene, dice: Dice, until: number): Promise<number> {
  const half = started + (until - started) / 2;
  const harmless = [
    ...FREEZES,
    ...MACHINE,
    ...ways(scene.ground.troubles),
    ...AT_CALLS.map((mood) => illAtCalls('own', mood)),
  ];
  const deadly = [...KILLS, ...AGENTS, ...POLITE, serverKilled('own'), serverKilled('far')];
  let made = 0;
  while (Date.now() + everyMs < until) {
    await wait(everyMs * (0.5 + dice.next()));
    const fault: Fault = dice.pick(Date.now() < half && dice.chance(0.5) ? deadly : harmless);
    const longest = dice.pick(FREEZES_MS.filter((ms) => Date.now() + ms < until || ms === 1000));
    const from = Date.now();
    await fault.make(scene, longest);
    made += 1;
    say(
      `${((from - started) / 60_000).toFixed(1)} min: ${fault.name}, ${Date.now() - from} ms; ${JSON.stringify(scene.ledger.tally())}`,
    );
  }
  return made;
}

async function caller(scene: Scene, agent: Scene['agents'][number], signal: AbortSignal): Promise<void> {
  const dice = scene.dice.fork();
  while (!signal.aborted) {
    const steps = dice.chance(0.2) ? dice.int(2, 10) : 0;
    const ms = dice.chance(0.2) ? dice.int(100, 3000) : 0;
    if (agent.up)
      await agent.call({ server: dice.pick(SERVERS), ms, steps, tool: dice.chance(0.03) ? 'forbidden' : 'do' });
    await wait(dice.int(10, 80));
  }
}

/** Sessions that come, ask and go. */
async function churn(scene: Scene, signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n += 1) {
    const agent = scene.agent(`k${n}`, n % 2 === 0 ? 'legacy' : 'modern');
    // Whoever comes while the gateway is away is told so after a while.
    const came = await agent.start().then(
      () => true,
      () => false,
    );
    if (came) for (const server of SERVERS) await agent.call({ server });
    await agent[Symbol.asyncDispose]();
    await wait(2000);
  }
}

async function samples({ gateway, bridge }: Scene, file: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    // One that is frozen or dead just now is asked next time.
    for (const { pid } of [gateway, bridge]) await sample(pid, file).catch(() => undefined);
    await wait(SAMPLE_MS);
  }
}

async function well(scene: Scene): Promise<number> {
  const from = performance.now();
  await wait(1000);
  await scene.settle();
  return performance.now() - from - 1000;
}

function same(a: Holdings, b: Holdings): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

process.exitCode = (await soak()) ? 0 : 1;
