// Which process writes a ledger file, and whether it still lives. Process ids come back: the time a process was started
// tells two apart, where the system says it (Linux).

import { readFileSync } from 'node:fs';

export interface LedgerWriter {
  readonly pid: number;
  /** `-` where the system does not say. */
  readonly start: string;
}

export function thisWriter(): LedgerWriter {
  return { pid: process.pid, start: startOf(process.pid) ?? '-' };
}

export function isAlive({ pid, start }: LedgerWriter): boolean {
  if (start !== '-') return startOf(pid) === start;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of proc(5) stat; undefined where there is no such process, or no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in parentheses and may hold anything.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie writes nothing any more.
    return state === 'Z' || state === 'X' ? undefined : rest[18];
  } catch {
    return undefined;
  }
}
