// I8, from outside: what the serving programs of a town hold when nobody asks for anything. Descriptors by kind, and children.

import { readdir, readlink } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Scene } from './scene.ts';

export interface Holdings {
  readonly descriptors: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Server processes, by name. */
  readonly children: Readonly<Record<string, number>>;
}

/** A lost agent's session ends after a minute: nobody here waits for that, so those are in `patient` only. */
const SETTLE_MS = 10_000;

async function holdings(scene: Scene): Promise<Holdings> {
  const descriptors: Record<string, Record<string, number>> = {};
  for (const { name, pid } of [scene.gateway, scene.bridge]) descriptors[name] = await kindsOf(pid);
  const children = Object.fromEntries(scene.servers.map((name) => [name, scene.pidsOf(name).length]));
  return { descriptors, children };
}

/** What is held; asked again until it is as `wanted`, or for a while. */
export async function settled(scene: Scene, wanted?: Holdings, settleMs = SETTLE_MS): Promise<Holdings> {
  const until = Date.now() + settleMs;
  for (;;) {
    const now = await holdings(scene);
    if (wanted === undefined || Date.now() > until || JSON.stringify(now) === JSON.stringify(wanted)) return now;
    await wait(200);
  }
}

/** Sockets, pipes, files …; numbers that differ between two lives are cut off. */
async function kindsOf(pid: number): Promise<Record<string, number>> {
  const kinds: Record<string, number> = {};
  for (const fd of await readdir(`/proc/${pid}/fd`)) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => 'gone');
    const kind = /^(socket|pipe|anon_inode:[^0-9]+)/.exec(target)?.[1] ?? 'file';
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(kinds).sort());
}
