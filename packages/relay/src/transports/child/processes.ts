// The process table of Linux, read from /proc: who lives, in which group, since when, with which owner mark.
// A process is named by pid and start time together; a pid alone may belong to somebody else by the time it is used.

import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Put into every child's environment. Processes inherit it, so it finds those that left the child's group by setsid. */
export const OWNER_VARIABLE = 'MCP_OVERLAY_OWNER';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Clock ticks since boot (10 ms each on common kernels). */
  readonly start: number;
  readonly mark: string | undefined;
}

/** The mark stands first in what we give a child; a process that hides it behind more than this hides on purpose. */
const MAX_ENVIRON_BYTES = 256 * 1024;
/** Processes read before the event loop gets a turn: about 1 ms. */
const SLICE = 64;

/** Start time of a process that has not been reaped yet; undefined where there is no /proc, or no such process. */
export function startTimeOf(pid: number): number | undefined {
  return readStat(pid)?.start;
}

/** Scans on request. Requests that meet a scan under way share the next one, so that a hundred children ending at once
 *  cost two scans and not a hundred. */
export class ProcessTable {
  #running: Promise<ProcessEntry[]> = Promise.resolve([]);
  #next: Promise<ProcessEntry[]> | undefined;
  #since = Number.POSITIVE_INFINITY;

  /** Every live process (zombies are not) that began at `since` or later. Begins after the call, so it is never stale. */
  snapshot(since: number): Promise<ProcessEntry[]> {
    this.#since = Math.min(this.#since, since);
    this.#next ??= this.#scanAfterThis();
    return this.#next;
  }

  async #scanAfterThis(): Promise<ProcessEntry[]> {
    await this.#running;
    const since = this.#since;
    this.#since = Number.POSITIVE_INFINITY;
    this.#next = undefined;
    this.#running = scan(since);
    return this.#running;
  }
}

async function scan(since: number): Promise<ProcessEntry[]> {
  const found: ProcessEntry[] = [];
  const buffer = Buffer.allocUnsafe(MAX_ENVIRON_BYTES);
  for (const [index, pid] of listPids().entries()) {
    if (index % SLICE === SLICE - 1) await nextTurn();
    const stat = readStat(pid);
    if (stat === undefined || stat.start < since || stat.state === 'Z' || stat.state === 'X') continue;
    const { parent, group, start } = stat;
    found.push({ pid, parent, group, start, mark: readMark(pid, buffer) });
  }
  return found;
}

function listPids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^[0-9]+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** Fields 3, 4, 5 and 22 of proc(5) stat. The name in field 2 may hold blanks and brackets: count from the last one. */
function readStat(pid: number): { state: string; parent: number; group: number; start: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? 'X', parent: Number(fields[1]), group: Number(fields[2]), start: Number(fields[19]) };
}

/** Not ours to read (another user's, or a privileged program): no mark. */
function readMark(pid: number, buffer: Buffer): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(`/proc/${pid}/environ`, 'r');
    const environ = buffer.subarray(0, readSync(fd, buffer));
    const name = `${OWNER_VARIABLE}=`;
    let at = environ.indexOf(name);
    while (at > 0 && environ[at - 1] !== 0) at = environ.indexOf(name, at + 1);
    if (at === -1) return undefined;
    const end = environ.indexOf(0, at);
    return environ.toString('latin1', at + name.length, end === -1 ? environ.length : end);
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
