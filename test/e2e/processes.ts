// The process table, read with ps (the same on Linux and macOS): who descends from whom, and who is still there.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  /** Start time and command line: a number that was given to somebody else does not count as alive. */
  readonly started: string;
  readonly args: string;
}

const run = promisify(execFile);

/** The given processes and all that descend from them. */
export async function descendants(roots: readonly number[]): Promise<ProcessLine[]> {
  const table = await processTable();
  const found = new Set(roots);
  // ps lists by number, not by descent: repeat until nothing is added.
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of table) if (found.has(parent)) found.add(pid);
  }
  return table.filter(({ pid }) => found.has(pid));
}

/** Those of the given processes that still run; a zombie has ended. */
export async function stillAlive(these: readonly ProcessLine[]): Promise<ProcessLine[]> {
  if (these.length === 0) return [];
  const now = new Map((await processTable()).map((line) => [line.pid, line]));
  return these.filter(({ pid, started }) => {
    const line = now.get(pid);
    return line !== undefined && line.started === started && !line.state.startsWith('Z');
  });
}

async function processTable(): Promise<ProcessLine[]> {
  const { stdout } = await run('ps', ['-Ao', 'pid=,ppid=,state=,lstart=,args='], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\w+\s+\w+\s+\d+\s+[\d:]+\s+\d+)\s+(.*)$/.exec(line);
    if (!match) return [];
    const [, pid = '', parent = '', state = '', started = '', args = ''] = match;
    return [{ pid: Number(pid), parent: Number(parent), state, started, args }];
  });
}
