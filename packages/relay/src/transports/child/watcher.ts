// Parent-death protection: a few lines of shell that outlive us and end the process groups of our children when we die,
// however we die. One per process, started with the first child, fed by a pipe whose end of file is our death.
// Invariant: a child's group is written to the pipe in the same turn in which the child is started.

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { OWNER_VARIABLE, ProcessTable } from './processes.ts';

export interface ChildLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
}

/** A watcher that is killed is replaced; one that cannot live here is given up after so many. */
const MAX_RESTARTS = 5;

// Arguments: owner mark, and the groups known so far (` GROUP:START ...`): both are there before we can die the next time.
// Lines: `+ GROUP START` · `- GROUP` · `q` (orderly end). START is 0 where there is no /proc.
// It runs in a session of its own, ignores what a terminal or a service manager sends to ours, and uses nothing but
// builtins until the end of file: no process, no file, no output. Then: TERM, at most 2 s, KILL until nothing is left.
// A group is spared if its leader's pid now has another start time: the group is empty and its number given away.
// `grep` finds by mark what left its group (Linux; elsewhere there is no /proc and it finds nothing).
const SCRIPT = `# mcp-overlay: ends the children of a process that died
trap '' HUP INT QUIT TERM PIPE
mark=$1 list="$2 "
while read -r op a b; do
  case $op in
    +) list="$list$a:$b " ;;
    -) case $list in *" $a:"*) rest=\${list#*" $a:"}; list="\${list%%" $a:"*} \${rest#* }" ;; esac ;;
    q) exit 0 ;;
  esac
done
start_of() {
  stat= start=
  { while read -r line; do stat="$stat$line "; done < "/proc/$1/stat"; } 2>/dev/null
  set -f; set -- \${stat##*) }; set +f
  start=\${20-}
}
strike() {
  hit=
  for entry in $list; do
    start_of "\${entry%%:*}"
    if [ -n "$start" ] && [ "\${entry#*:}" != 0 ] && [ "$start" != "\${entry#*:}" ]; then continue; fi
    kill -s "$1" -- "-\${entry%%:*}" 2>/dev/null && hit=1
  done
  [ -n "$mark" ] || return 0
  for file in $(grep -lsF -e "${OWNER_VARIABLE}=$mark" /proc/[0-9]*/environ 2>/dev/null); do
    pid=\${file#/proc/}
    kill -s "$1" "\${pid%/environ}" 2>/dev/null && hit=1
  done
}
strike TERM
n=0
while [ -n "$hit" ] && [ $n -lt 20 ]; do
  sleep 0.1 2>/dev/null || { sleep 1; n=$((n + 9)); }
  n=$((n + 1))
  strike 0
done
n=0
while [ -n "$hit" ] && [ $n -lt 10 ]; do
  strike KILL
  sleep 0.1 2>/dev/null || sleep 1
  n=$((n + 1))
  strike 0
done
`;

export class Watcher {
  /** 128 random bits: nobody else's process carries them. */
  readonly owner: string = randomBytes(16).toString('hex');
  readonly processes: ProcessTable = new ProcessTable();
  readonly #log: ChildLog | undefined;
  readonly #groups = new Map<number, number>();
  #children = 0;
  #shell: ChildProcess | undefined;
  #starts = 0;
  #closed = false;

  constructor(options: { log?: ChildLog } = {}) {
    this.#log = options.log;
  }

  /** Pid of the shell, for tests. */
  get pid(): number | undefined {
    return this.#shell?.pid;
  }

  /** Call before starting a child: from here on our death is noticed. Returns the child's own mark. */
  prepare(): string {
    this.#start();
    this.#children += 1;
    return `${this.owner}:${this.#children}`;
  }

  /** `start`: 0 where it is not known. */
  record(group: number, start: number): void {
    this.#groups.set(group, start);
    this.#tell(`+ ${group} ${start}\n`);
  }

  forget(group: number): void {
    if (this.#groups.delete(group)) this.#tell(`- ${group}\n`);
  }

  /** Orderly end: every child is gone already, the shell goes at once. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    const shell = this.#shell;
    this.#shell = undefined;
    if (shell === undefined || shell.exitCode !== null || shell.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => shell.once('exit', () => resolve()));
    shell.ref();
    shell.stdin?.end(this.#groups.size === 0 ? 'q\n' : '');
    await gone;
  }

  #start(): void {
    if (this.#shell !== undefined || this.#closed || this.#starts > MAX_RESTARTS) return;
    // No job control and no POSIX shell: there a child ends by the end of its stdin, or not at all.
    if (process.platform === 'win32') return;
    this.#starts += 1;
    const known = [...this.#groups].map(([group, start]) => ` ${group}:${start}`).join('');
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'mcp-overlay-watcher', this.owner, known], {
      cwd: '/',
      detached: true,
      // Only PATH: an owner mark of a process above us would have the watcher ended before it did its work.
      env: { PATH: `/usr/bin:/bin${process.env.PATH === undefined ? '' : `:${process.env.PATH}`}` },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#shell = shell;
    // Out of files, nothing helps now: the next child tries again.
    if (shell.pid === undefined) this.#starts -= 1;
    const lost = (reason: string) => {
      if (this.#shell !== shell) return;
      this.#shell = undefined;
      this.#log?.warn(
        { reason, children: this.#groups.size },
        'the watcher of child processes ended, starting another',
      );
      if (this.#groups.size > 0 && shell.pid !== undefined) this.#start();
    };
    shell.on('error', (error) => lost(error.message));
    shell.on('exit', (code, signal) => lost(signal ?? `exit code ${code}`));
    // Out of files it has none, against its types.
    const stdin = shell.stdin as (typeof shell.stdin & { unref?(): void }) | undefined;
    stdin?.on('error', () => {});
    // It never keeps us alive.
    shell.unref();
    stdin?.unref?.();
  }

  /** A pipe write of this size happens inside the call (libuv tries before it queues): no turn passes before the
   *  watcher can read it, even if we are killed next. */
  #tell(lines: string): void {
    this.#shell?.stdin?.write(lines);
  }
}

let ofThisProcess: Watcher | undefined;

/** The one deliberate module state of this room: its life is the process itself, like the pipe's. */
export function processWatcher(): Watcher {
  ofThisProcess ??= new Watcher();
  return ofThisProcess;
}
