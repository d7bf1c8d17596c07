// All processes that came from one child: its group, whatever carries its mark, and the descendants of both.
// A process once seen is remembered by pid and start time, so that losing its parent or its group does not hide it.
// Linux sees all of this; where there is no /proc only the group is seen, and a grandchild that called setsid escapes.

import { spawn } from 'node:child_process';
import { type ProcessTable, startTimeOf } from './processes.ts';

export interface FamilyOptions {
  /** Pid of the child, which leads its own group. */
  readonly pid: number;
  readonly mark: string;
  readonly processes: ProcessTable;
  /** The child is a wrapper that would die of SIGTERM, and take the server with it before that had its time. */
  readonly handsOn?: boolean;
}

export class Family {
  readonly pid: number;
  /** 0 where it cannot be known. */
  readonly start: number;
  readonly #mark: string;
  readonly #processes: ProcessTable;
  readonly #handsOn: boolean;
  readonly #known = new Map<number, number>();

  /** In the turn that started the child: it cannot have been reaped yet, so the start time is its own. */
  constructor({ pid, mark, processes, handsOn = false }: FamilyOptions) {
    this.pid = pid;
    this.start = startTimeOf(pid) ?? 0;
    this.#mark = mark;
    this.#processes = processes;
    this.#handsOn = handsOn;
  }

  /** Pids that are alive now. Zombies are not: they hold nothing, and only their parent can remove them. */
  async living(): Promise<number[]> {
    if (this.start === 0) return this.#signalGroup(0) ? [this.pid] : [];
    const table = await this.#processes.snapshot(this.start);
    const members = new Set<number>();
    // Parents stand before their children nearly always (pids grow); a pid that wrapped takes one more round.
    for (let before = -1; before !== members.size; ) {
      before = members.size;
      for (const entry of table) {
        if (members.has(entry.pid) || entry.pid === process.pid) continue;
        const ours =
          (entry.group === this.pid && this.#groupIsOurs()) ||
          entry.mark === this.#mark ||
          members.has(entry.parent) ||
          this.#known.get(entry.pid) === entry.start;
        if (ours) members.add(entry.pid);
      }
    }
    this.#known.clear();
    for (const entry of table) if (members.has(entry.pid)) this.#known.set(entry.pid, entry.start);
    return [...members];
  }

  /** To the group at once (nothing can fork away from under it), then to each one seen outside it. */
  signal(signal: NodeJS.Signals): void {
    if (process.platform === 'win32') {
      endTreeOnWindows(this.pid);
      return;
    }
    const spared = this.#handsOn && signal === 'SIGTERM' && this.#known.size > 1;
    if (!spared && this.#groupIsOurs()) this.#signalGroup(signal);
    for (const [pid, start] of this.#known) {
      if (spared && pid === this.pid) continue;
      if (startTimeOf(pid) === start) tryKill(pid, signal);
    }
  }

  /** While the group has a member its number is not given away; if the leader's pid has another start time, it was. */
  #groupIsOurs(): boolean {
    if (this.start === 0) return true;
    const now = startTimeOf(this.pid);
    return now === undefined || now === this.start;
  }

  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    return process.platform === 'win32' ? tryKill(this.pid, signal) : tryKill(-this.pid, signal);
  }
}

function tryKill(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** Windows has no groups and no SIGTERM: the tree is ended as the task manager does it. */
function endTreeOnWindows(pid: number): void {
  spawn('taskkill', ['/T', '/F', '/PID', String(pid)], { stdio: 'ignore', windowsHide: true }).on('error', () => {});
}
