// Notices that a file may be another one. Its folder is watched, because editors put a new file in the place of the old one and
// orchestrators turn a symbolic link round; so is the folder that a link leads to. Folders on other machines tell nobody of
// changes, so it is looked at now and then as well. Whether the contents are others is for whoever is told.

import { type FSWatcher, watch } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** An editor writes a file in several steps; what it leaves is looked at. */
const SETTLE_MS = 250;
/** A folder in which something always changes, as a log, is looked at all the same. */
const MOST_MS = 2000;
const LOOK_MS = 5000;

export interface FileWatch {
  close(): void;
}

export function watchFile(file: string, changed: () => void, { lookMs = LOOK_MS } = {}): FileWatch {
  let settling: NodeJS.Timeout | undefined;
  let stamp: string | undefined;
  let closed = false;
  const watchers = new Map<string, FSWatcher>();
  let latest: number | undefined;
  const later = (): void => {
    const now = performance.now();
    latest ??= now + MOST_MS;
    clearTimeout(settling);
    settling = setTimeout(
      () => {
        latest = undefined;
        changed();
        void arm();
      },
      Math.max(0, Math.min(SETTLE_MS, latest - now)),
    );
  };
  const arm = async (): Promise<void> => {
    const real = await realpath(file).catch(() => file);
    if (closed) return;
    // Each anew: a folder that was removed and made again has its name and tells the old watcher nothing.
    const before = [...watchers.values()];
    watchers.clear();
    for (const folder of new Set([dirname(file), dirname(real)])) add(folder);
    for (const watcher of before) watcher.close();
  };
  const add = (folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: false }, later);
      watcher.on('error', () => {
        watcher.close();
        if (watchers.get(folder) === watcher) watchers.delete(folder);
        later();
      });
      watchers.set(folder, watcher);
    } catch {
      // It is not there now: the look finds it when it is.
    }
  };
  const look = async (): Promise<void> => {
    const stats = await stat(file, { bigint: true }).catch(() => undefined);
    const now = stats ? `${stats.dev} ${stats.ino} ${stats.mtimeNs} ${stats.size}` : '';
    const news = stamp !== undefined && now !== stamp;
    stamp = now;
    if (news && !closed) later();
  };
  void arm();
  void look();
  const looking = setInterval(() => void look(), lookMs).unref();
  return {
    close: () => {
      closed = true;
      clearTimeout(settling);
      clearInterval(looking);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
