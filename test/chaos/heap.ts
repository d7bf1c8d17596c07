// What a program keeps after garbage collection, from outside: it is started with heap-probe.mjs and asked by a signal.

import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from '../e2e/harness.ts';
import { grouped } from './grouped.ts';

const PROBE = new URL('./heap-probe.mjs', import.meta.url).href;
/** Longer than a fault that leaves no room for the answer. */
const ANSWER_MS = 60_000;

export interface HeapSample {
  readonly pid: number;
  readonly at: number;
  readonly heap: number;
  readonly rss: number;
  readonly resources: Readonly<Record<string, number>>;
}

export function probed(program: Command, file: string): Command {
  return { ...program, env: { ...program.env, NODE_OPTIONS: `--import ${PROBE}`, CHAOS_HEAP_FILE: file } };
}

export async function samplesOf(file: string): Promise<HeapSample[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as HeapSample);
}

/** Asks this process now. */
export async function sample(pid: number, file: string): Promise<HeapSample> {
  const before = (await samplesOf(file)).length;
  process.kill(pid, 'SIGUSR2');
  const until = Date.now() + ANSWER_MS;
  for (;;) {
    const answer = (await samplesOf(file)).slice(before).find((one) => one.pid === pid);
    if (answer) return answer;
    if (Date.now() > until) throw new Error(`process ${pid} does not say what its heap is`);
    await wait(20);
  }
}

export interface Slope {
  /** Bytes, by least squares. */
  readonly perMinute: number;
  readonly minutes: number;
  readonly first: number;
  readonly last: number;
}

/** Of the second half of the longest life among the samples: in the first one, what has bounds fills up to them. */
export function slope(samples: readonly HeapSample[]): Slope {
  const lives = grouped(samples, ({ pid }) => pid);
  const longest = [...lives.values()].sort((a, b) => span(b) - span(a))[0] ?? [];
  const from = (longest[0]?.at ?? 0) + span(longest) / 2;
  const points = longest.filter(({ at }) => at >= from).map(({ at, heap }) => [(at - from) / 60_000, heap] as const);
  const mean = (pick: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [mx, my] = [mean(([x]) => x), mean(([, y]) => y)];
  const above = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  const below = points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return {
    perMinute: below === 0 ? 0 : above / below,
    minutes: span(longest) / 60_000,
    first: points[0]?.[1] ?? 0,
    last: points.at(-1)?.[1] ?? 0,
  };
}

function span(life: readonly HeapSample[]): number {
  return (life.at(-1)?.at ?? 0) - (life[0]?.at ?? 0);
}
