// A stdio server as a child process: its stdin and stdout are one Transport, its life is ours to end.
// Start (./start) -> messages (../stream) -> end: end of input, SIGTERM, SIGKILL (./stop-ladder) over the whole family.
// Invariant: when `close` has resolved or `closed` was called, no process that came from this child is left that we can
// see (./family says what that is on which system), and our watcher (./watcher) knows it no more.

import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { RelayError } from '../../errors.ts';
import type { Limits } from '../../limits.ts';
import type { Fault, Message } from '../../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../../transport.ts';
import { within } from '../../wait.ts';
import { streamTransport } from '../stream.ts';
import { type Diagnostics, lastLines, readDiagnostics, tellingLine } from './diagnostics.ts';
import { Family } from './family.ts';
import { tolerantInput } from './input.ts';
import { OWNER_VARIABLE } from './processes.ts';
import type { Clock } from './rate.ts';
import type { Wrapped } from './sandbox/plan.ts';
import { startProcess } from './start.ts';
import { endFamily } from './stop-ladder.ts';
import { type StrayGuard, strayGuard } from './stray.ts';
import { type ChildLog, processWatcher, type Watcher } from './watcher.ts';

/** For what a child left behind when it ended by itself: it was not asked, so its helpers had no earlier notice. */
const SWEEP_GRACE_MS = 500;
/** Queued messages on their way into a child that is being closed (transport.ts: at most 1 s). */
const FLUSH_MS = 1000;
/** After the last process is gone its output ends by itself. Where an escaped one may hold it open: silence this long. */
const HELD_OPEN_MS = 1000;
/** For the rest of stderr: what fits into a pipe. */
const DIAGNOSTICS_MS = 500;

const SHOWN_OF_A_FAILED_START = 3;
/** What a server says that met the walls of its sandbox. */
const WALL = /EROFS|read-only file system|EACCES|permission denied|ENOENT|no such file|ENETUNREACH|EAI_AGAIN|bwrap:/i;
const IN_SANDBOX = 'it runs in a sandbox: sandbox.read and sandbox.write name what it may have';

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ChildOptions {
  /** For logs, prefixes and errors: the backend's id. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** All the child gets (./environment makes it), but for our owner mark. */
  readonly env: Readonly<Record<string, string>>;
  /** Default: ours. */
  readonly cwd?: string;
  /** What it is started by (./sandbox); left out: nothing. */
  readonly sandbox?: Wrapped | undefined;
  readonly limits: Limits;
  readonly log?: ChildLog;
  /** It said something: it runs. */
  readonly onSpoke?: () => void;
  /** It is over, for this reason; `byOwner`: somebody wanted it to be. After `closed`. */
  readonly onEnded?: (reason: CloseReason, byOwner: boolean) => void;
  /** One line of its stderr, cleaned, with a `[name]` prefix, at a bounded rate. */
  readonly onStderr?: (line: string) => void;
  /** Takes secrets out of what it says on stderr, before that is logged or told in a reason. */
  readonly hide?: (text: string) => string;
  /** Patience of the stop ladder. Default 2,000 and 3,000. */
  readonly stop?: { readonly eofMs: number; readonly termMs: number };
  /** Default: the one of this process. */
  readonly watcher?: Watcher;
  readonly now?: Clock;
}

export interface ChildTransport extends Transport {
  /** undefined: it did not start. */
  readonly pid: number | undefined;
  /** Rejects with RelayError `child_start_failed`, which `closed` then tells too. */
  readonly started: Promise<void>;
  /** The direct child alone; both null if it never started. Never rejects. */
  readonly exited: Promise<ChildExit>;
  /** The end of its stderr, cleaned. */
  stderrTail(): string;
}

/** Starts it now. What keeps it from starting arrives like every other end: by `closed`. */
export function spawnChild(options: ChildOptions): ChildTransport {
  return new Child(options);
}

class Child implements ChildTransport {
  readonly pid: number | undefined;
  readonly started: Promise<void>;
  readonly exited: Promise<ChildExit>;
  readonly #options: ChildOptions;
  readonly #watcher: Watcher;
  readonly #process: ChildProcessWithoutNullStreams | undefined;
  readonly #stream: Transport | undefined;
  readonly #family: Family | undefined;
  readonly #diagnostics: Diagnostics | undefined;
  readonly #stray: StrayGuard;
  #handlers: TransportHandlers | undefined;
  #end: Promise<void> | undefined;
  /** Why, if somebody decided it; otherwise the exit tells. */
  #decided: CloseReason | undefined;
  /** Closed by its owner: nobody wants the rest of its output. */
  #abandoned = false;
  #final: CloseReason | undefined;
  #told = false;
  #paused = false;
  #received = 0;
  #spoke = false;
  #streamClosed = false;
  #wake: () => void = () => {};

  constructor(options: ChildOptions) {
    const { name, env, limits, log, now = () => performance.now() } = options;
    this.#options = options;
    this.#watcher = options.watcher ?? processWatcher();
    this.#stray = strayGuard({ name, limits, now, log });
    const mark = this.#watcher.prepare();
    const owner = { [OWNER_VARIABLE]: mark };
    const { process: child, spawned } = startProcess({
      ...options,
      ...(options.sandbox && { command: options.sandbox.command, args: options.sandbox.args }),
      // First, so that it is found at once; and again, so that nothing declared replaces it.
      env: { ...owner, ...env, ...owner },
    });
    this.started = spawned;
    this.#process = child;
    this.pid = child?.pid;
    if (child === undefined || child.pid === undefined) {
      this.exited = Promise.resolve({ code: null, signal: null });
      spawned.catch((error: unknown) => this.#failedToStart(error));
      return;
    }
    this.#family = new Family({
      pid: child.pid,
      mark,
      processes: this.#watcher.processes,
      handsOn: options.sandbox?.kind === 'walls',
    });
    this.#watcher.record(child.pid, this.#family.start);
    this.exited = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    this.#diagnostics = readDiagnostics({
      input: child.stderr,
      name,
      maxBytes: limits.stderrRingBytes,
      now,
      onLine: options.onStderr,
      hide: options.hide,
    });
    this.#stream = streamTransport({
      input: child.stdout,
      output: tolerantInput(child.stdin, () => this.#begin()),
      limits,
      name,
    });
    spawned.catch(() => {});
    log?.debug({ backend: name, pid: child.pid }, 'child started');
    this.exited.then(() => this.#begin());
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#wake();
    this.#stream?.start({
      message: (message) => this.#message(message),
      fault: (fault) => this.#fault(fault),
      closed: () => {
        this.#streamClosed = true;
        this.#wake();
        this.#begin();
      },
    });
    if (this.#final !== undefined) queueMicrotask(() => this.#tell());
  }

  send(message: Message): boolean {
    return this.#stream === undefined || this.#end !== undefined ? true : this.#stream.send(message);
  }

  drained(): Promise<void> {
    return this.#stream?.drained() ?? Promise.resolve();
  }

  pause(): void {
    this.#stream?.pause();
    this.#paused = true;
  }

  resume(): void {
    this.#stream?.resume();
    this.#paused = false;
    this.#wake();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    // The first cause is the one that is told: a child that died before we closed it has died.
    if (this.#end === undefined) this.#decided = reason;
    this.#abandoned = true;
    this.#wake();
    return this.#begin();
  }

  stderrTail(): string {
    return this.#diagnostics?.tail() ?? '';
  }

  #message(message: Message): void {
    if (!this.#spoke) this.#options.onSpoke?.();
    this.#spoke = true;
    this.#received += 1;
    this.#handlers?.message(message);
  }

  #fault(fault: Fault): void {
    this.#received += 1;
    this.#handlers?.fault(fault);
    if (!this.#stray.tooMuch(fault) || this.#end !== undefined) return;
    const { name, limits } = this.#options;
    this.#decided = {
      code: 'child_flooded',
      reason:
        `${name} wrote more than ${limits.strayLines} lines or ${limits.strayBytes} bytes to stdout within ` +
        `${limits.strayWindowMs / 1000} s that are no MCP messages, and was ended; its logs belong on stderr`,
    };
    // It does not deserve the time that end of input gives, and its output is not read any more.
    this.#end = this.#run(0);
    this.#process?.stdout.destroy();
  }

  /** One end for all who ask: the owner, the exit of the child, the end of its output. */
  #begin(): Promise<void> {
    this.#end ??= this.#run(this.#options.stop?.eofMs ?? 2000);
    return this.#end;
  }

  async #run(eofMs: number): Promise<void> {
    const { name, log, stop } = this.#options;
    const child = this.#process;
    const family = this.#family;
    if (child === undefined || family === undefined) {
      // Not started: `#failedToStart` has the reason.
      await this.started.catch(() => {});
      return;
    }
    const closedByUs = this.#decided !== undefined;
    if (!hasExited(child)) {
      // While the tree stands: a grandchild that left group and mark behind is found by its parents, and remembered.
      await family.living();
      const closing = closedByUs ? this.#stream?.close(this.#decided) : undefined;
      closing?.catch(() => {});
      if (closedByUs) await within(FLUSH_MS, inputEnded(child));
      // With a full pipe nothing but this is an end of input.
      child.stdin.destroy();
      await within(eofMs, this.exited);
    }
    const obeyed = hasExited(child);
    if (!obeyed) log?.info({ backend: name, pid: child.pid }, 'child did not end with its input, sending SIGTERM');
    const left = await endFamily({
      family,
      graceMs: closedByUs || !obeyed ? (stop?.termMs ?? 3000) : SWEEP_GRACE_MS,
      exited: this.exited,
    });
    if (left.length > 0) log?.warn({ backend: name, pids: left }, 'processes of a child outlived SIGKILL');
    else this.#watcher.forget(family.pid);
    if (!closedByUs) await this.#readRest();
    await this.#release(child);
    this.#final = this.#decided ?? (await this.#obituary(obeyed));
    log?.debug({ backend: name, pid: child.pid, code: this.#final.code }, 'child ended');
    this.#finish(this.#final);
  }

  /** What a dead child still said is delivered, however slowly its owner takes it; a close ends the patience. */
  async #readRest(): Promise<void> {
    while (!this.#streamClosed && !this.#abandoned) {
      const seen = this.#received;
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (this.#paused || this.#handlers === undefined) await woken;
      else if (!(await within(HELD_OPEN_MS, woken)) && seen === this.#received) return;
    }
  }

  async #release(child: ChildProcessWithoutNullStreams): Promise<void> {
    if (this.#diagnostics !== undefined) await within(DIAGNOSTICS_MS, this.#diagnostics.readRest());
    const closing = this.#stream?.close(this.#decided) ?? Promise.resolve();
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
    await within(FLUSH_MS, closing);
  }

  async #obituary(byItself: boolean): Promise<CloseReason> {
    const { name } = this.#options;
    const last = this.#lastWords();
    const walls = this.#options.sandbox?.kind === 'walls' && WALL.test(this.stderrTail()) ? ` (${IN_SANDBOX})` : '';
    const end = `${last === undefined ? '' : `: ${last}`}${walls}`;
    if (!byItself) return { code: 'child_exited', reason: `${name} closed its output and was ended${end}` };
    const { code, signal } = await this.exited;
    const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
    return { code: 'child_exited', reason: `${name} ${how}${end}` };
  }

  /** Of one that never said anything the last lines too: whoever has to mend it was not there to see them. */
  #lastWords(): string | undefined {
    const tail = this.stderrTail();
    const telling = tellingLine(tail);
    const lines = this.#spoke ? [] : lastLines(tail, SHOWN_OF_A_FAILED_START).filter((line) => line !== telling);
    return lines.length === 0 ? telling : `${telling} (its last lines: ${lines.join(' | ')})`;
  }

  #failedToStart(error: unknown): void {
    const { name, log } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    const hint = error instanceof RelayError && error.hint !== undefined ? ` (${error.hint})` : '';
    log?.debug({ backend: name, reason }, 'child did not start');
    this.#final = { code: 'child_start_failed', reason: `${reason}${hint}` };
    this.#finish(this.#final);
  }

  #finish(reason: CloseReason): void {
    this.#tell();
    this.#options.onEnded?.(reason, this.#decided !== undefined && reason.code !== 'child_flooded');
  }

  #tell(): void {
    if (this.#handlers === undefined || this.#final === undefined || this.#told) return;
    this.#told = true;
    this.#handlers.closed(this.#final);
  }
}

function hasExited(child: ChildProcessWithoutNullStreams): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function inputEnded(child: ChildProcessWithoutNullStreams): Promise<void> {
  const { stdin } = child;
  if (stdin.writableFinished || stdin.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    stdin.once('finish', resolve).once('close', resolve);
  });
}
