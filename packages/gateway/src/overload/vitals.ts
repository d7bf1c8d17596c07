// How this process is doing, read from the system: shares of what it may use, and how late its event loop is. Costs some
// tens of microseconds a reading, but for open files, which are counted each second.

import { readdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** Each a share of its limit; undefined where the system does not tell. */
export interface Vitals {
  readonly heap: number;
  readonly rss: number;
  readonly files: number | undefined;
  /** 99th percentile since the last reading; 0 where it is not of our making. */
  readonly lagMs: number;
}

export interface VitalsReader {
  read(): Vitals;
  close(): void;
}

/** How often the loop is looked at. A finer look wakes an idle process more often. */
const LOOK_MS = 20;
/** Readings between two counts of open files. */
const FILES_EVERY = 4;
const NS_PER_MS = 1e6;
/** Below this part of a core it is not we who keep the loop: the machine is busy with others, or was asleep, and taking
 *  nothing new would help nobody. */
const OWN_CPU = 0.35;

export function openVitals({ ownCpu = OWN_CPU }: { readonly ownCpu?: number } = {}): VitalsReader {
  const delay = monitorEventLoopDelay({ resolution: LOOK_MS });
  delay.enable();
  const memoryBytes = memoryLimit();
  const maxFiles = fileLimit();
  let files: number | undefined;
  let readings = 0;
  let cpu = process.cpuUsage();
  let at = performance.now();
  /** Of a core, since the last reading. */
  const cpuShare = (): number => {
    const [used, elapsedMs] = [process.cpuUsage(cpu), performance.now() - at];
    cpu = process.cpuUsage();
    at = performance.now();
    return (used.user + used.system) / 1000 / elapsedMs;
  };
  return {
    read: () => {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      // Each entry is from one look to the next, so the time between looks is part of it.
      const late = delay.count === 0 ? 0 : Math.max(0, delay.percentile(99) / NS_PER_MS - LOOK_MS);
      const lagMs = cpuShare() < ownCpu ? 0 : late;
      delay.reset();
      if (readings % FILES_EVERY === 0) files = maxFiles === undefined ? undefined : openFiles() / maxFiles;
      readings += 1;
      return { heap: used / limit, rss: process.memoryUsage.rss() / memoryBytes, files, lagMs };
    },
    close: () => {
      delay.disable();
    },
  };
}

/** Of the machine, or of the control group that we are in. */
function memoryLimit(): number {
  const all = totalmem();
  const ours = process.constrainedMemory();
  return ours !== undefined && ours > 0 && ours < all ? ours : all;
}

/** proc(5): "Max open files", soft limit first. undefined: no such file, or no limit. */
function fileLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    // None is left to look with.
    return Number.POSITIVE_INFINITY;
  }
}
