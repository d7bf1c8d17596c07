// I8, from outside: what the serving programs of a town hold when nobody asks for anything. Descriptors by kind, and children.

import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Scene } from './scene.ts';

export interface Holdings {
  readonly descriptors: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Server processes, by name. */
  readonly children: Readonly<Record<string, number>>;
}

const SETTLE_MS = 10_000;
/** So long without a change is rest: what is written at start is closed by then. */
const REST_LOOKS = 4;
const LOOK_MS = 200;

async function holdings(scene: Scene): Promise<Holdings> {
  const descriptors: Record<string, Record<string, number>> = {};
  for (const { name, pid } of [scene.gateway, scene.bridge]) descriptors[name] = await kindsOf(pid);
  const children = Object.fromEntries(scene.servers.map((name) => [name, scene.pidsOf(name).length]));
  return { descriptors, children };
}

/** What is held at rest; asked again until it is as `wanted`, or for a while. */
export async function settled(scene: Scene, wanted?: Holdings, settleMs = SETTLE_MS): Promise<Holdings> {
  const until = Date.now() + settleMs;
  let last = '';
  for (let same = 0; ; ) {
    const now = await holdings(scene);
    const text = JSON.stringify(now);
    same = text === last ? same + 1 : 0;
    last = text;
    const fits = wanted === undefined ? same >= REST_LOOKS : text === JSON.stringify(wanted);
    if (fits || Date.now() > until) return now;
    await wait(LOOK_MS);
  }
}

/** Sockets, pipes, files …; numbers that differ between two lives are cut off. */
export async function kindsOf(pid: number): Promise<Record<string, number>> {
  const kinds: Record<string, number> = {};
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => 'gone');
    const kind = /^(socket|pipe|anon_inode:[^0-9]+)/.exec(target)?.[1] ?? 'file';
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(kinds).sort());
}
