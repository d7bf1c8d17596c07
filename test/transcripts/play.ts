// Plays a transcript against the built programs, in a state folder and a working folder of its own, and gives back what
// came, masked. What it starts it ends.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { testAuthority } from '@mcp-overlay/overlay/testing';
import { root } from '../e2e/harness.ts';
import type { Step } from './transcript.ts';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
/** Loaded machines are slow; a program that takes longer hangs. */
const stepMs = 60_000;
/** For `~`: states come by themselves. */
const RANDOM_TOKEN = /^[a-z0-9]{25}$/;
const untilMs = 40_000;

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

interface Program {
  readonly child: Child;
  stdout(): string;
  stderr(): string;
  readonly ended: Promise<number | null>;
}

export class Play implements AsyncDisposable {
  readonly #folder: string;
  readonly #running = new Map<string, Program>();
  /** Tokens of what was started, by name. */
  readonly #tokens = new Map<string, string>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async open(): Promise<Play> {
    const play = new Play(await realpath(await mkdtemp(join(tmpdir(), 'play-'))));
    await mkdir(join(play.#folder, 'here', 'bin'), { recursive: true });
    await play.#issue();
    return play;
  }

  /** Identities of a CA: `ca.pem`, `gateway.pem`, `other.pem`, `alice.pem`. */
  async #issue(): Promise<void> {
    const ca = testAuthority('town');
    const file = (name: string): string => join(this.#folder, 'here', `${name}.pem`);
    await writeFile(file('ca'), ca.pem);
    for (const name of ['gateway', 'other', 'alice']) {
      const { keyPem, pem } = ca.issue(name, {
        subject: [
          ['O', 'town'],
          ['CN', name],
        ],
      });
      await writeFile(file(name), keyPem + pem, { mode: 0o600 });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, ended } of this.#running.values()) {
      child.kill('SIGTERM');
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** The step with what really came in place of what was expected. */
  async play(step: Step): Promise<Step> {
    switch (step.kind) {
      case 'file':
        return this.#write(step);
      case 'start':
        return this.#start(step);
      case 'end':
        return this.#end(step);
      case 'until':
        return this.#until(step);
      default:
        return this.#run(step);
    }
  }

  async #write(step: Step): Promise<Step> {
    const path = join(this.#folder, 'here', step.name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${step.stdout.map((line) => this.#fill(line)).join('\n')}\n`);
    if (step.name.startsWith('bin/')) await chmod(path, 0o755);
    return step;
  }

  async #run(step: Step): Promise<Step> {
    const program = this.#spawn(step.words);
    const answers = step.stdin.filter((line) => line.includes('"id"')).length;
    for (const line of step.stdin) program.child.stdin.write(`${this.#fill(line)}\n`);
    // An agent that asked waits for its answers before it leaves.
    await this.#lines(program, answers);
    program.child.stdin.end();
    const code = await this.#within(program.ended, step.text, program);
    return this.#seen(step, program.stdout(), program.stderr(), code);
  }

  async #until(step: Step): Promise<Step> {
    const before = Date.now();
    for (;;) {
      const seen = await this.#run(step);
      const fits = JSON.stringify([seen.stdout, seen.code]) === JSON.stringify([step.stdout, step.code]);
      if (fits || Date.now() - before > untilMs) return seen;
      await wait(100);
    }
  }

  async #start(step: Step): Promise<Step> {
    const program = this.#spawn(step.words);
    this.#running.set(step.name, program);
    await this.#lines(program, 1);
    const [first = ''] = program.stdout().split('\n');
    const { share_token: token } = (first === '' ? {} : JSON.parse(first)) as { share_token?: string };
    if (token !== undefined) this.#tokens.set(step.name, token);
    const code = program.child.exitCode ?? 0;
    // What it says on stderr is looked at when it has said all.
    return this.#seen({ ...step, stderr: [] }, program.stdout(), '', code);
  }

  async #end(step: Step): Promise<Step> {
    const program = this.#running.get(step.name);
    if (!program) throw new Error(`line ${step.line}: ${step.name} does not run`);
    const [said] = program.stdout().split('\n');
    if (step.words[0] !== '-') program.child.kill(step.words[0] as NodeJS.Signals);
    const code = await this.#within(program.ended, step.text, program);
    this.#running.delete(step.name);
    return this.#seen(step, program.stdout().slice((said?.length ?? 0) + 1), program.stderr(), code);
  }

  #seen(step: Step, stdout: string, stderr: string, code: number | null): Step {
    const shown =
      step.stderr === undefined
        ? undefined
        : linesOf(this.#mask(stderr)).filter((line) => !line.startsWith('{"level":'));
    return { ...step, stdout: linesOf(this.#mask(stdout)), stderr: shown, code: code ?? -1 };
  }

  #spawn(typed: readonly string[]): Program {
    const words = typed.map((word) => this.#fill(word));
    const at = words.findIndex((word) => !/^[A-Z][A-Z0-9_]*=/.test(word));
    const [name = '', ...args] = words.slice(at);
    const own = /^mcp-(?:gateway|bridge|tools)$/.test(name);
    const env: Record<string, string> = {
      PATH: `${join(this.#folder, 'here', 'bin')}:${process.env.PATH ?? ''}`,
      HOME: this.#folder,
      MCP_OVERLAY_HOME: join(this.#folder, 'home'),
    };
    for (const word of words.slice(0, at)) env[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1);
    const line = own ? [process.execPath, join(root, 'dist', `${name}.js`), ...args] : [name, ...args];
    const [command = '', ...rest] = line;
    const child = spawn(command, rest, { cwd: join(this.#folder, 'here'), env, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {});
    const ended = (once(child, 'close') as Promise<[number | null]>).then(([code]) => code);
    return { child, stdout: () => stdout, stderr: () => stderr, ended };
  }

  /** Resolves when so many lines are on stdout, or the program is over. */
  async #lines(program: Program, count: number): Promise<void> {
    const enough = (): boolean => program.stdout().split('\n').length > count;
    if (count === 0 || enough()) return;
    const came = new Promise<void>((resolve) => {
      program.child.stdout.on('data', () => {
        if (enough()) resolve();
      });
    });
    await this.#within(Promise.race([came, program.ended]), `${count} lines`, program);
  }

  async #within<T>(what: Promise<T>, name: string, program: Program): Promise<T> {
    const stop = new AbortController();
    try {
      return await Promise.race([
        what,
        wait(stepMs, undefined, { signal: stop.signal }).then(() => {
          program.child.kill('SIGKILL');
          throw new Error(`${name}: not in ${stepMs} ms\n${program.stdout()}\n${program.stderr()}`);
        }),
      ]);
    } finally {
      stop.abort();
    }
  }

  #fill(text: string): string {
    return text.replace(/\{\{(\w+)\}\}/g, (braces, name: string) => this.#places()[name] ?? braces);
  }

  #places(): Readonly<Record<string, string>> {
    const tokens = Object.fromEntries(this.#tokens);
    return { ...tokens, node: process.execPath, root: root.replace(/\/$/, ''), folder: this.#folder };
  }

  /** What differs from run to run, in double braces. */
  #mask(text: string): string {
    let masked = text;
    for (const [name, value] of Object.entries(this.#places())) {
      // A share with a name of its own is shown by it.
      if (value.includes('/') || RANDOM_TOKEN.test(value)) masked = masked.replaceAll(value, `{{${name}}}`);
    }
    return (
      masked
        .replaceAll(`user ${userInfo().username}`, 'user {{user}}')
        .replaceAll(version, '{{version}}')
        .replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\b/g, '{{time}}')
        .replace(/(?<=hosted by \S+ since )\d{4}-\d\d-\d\d/g, '{{date}}')
        .replace(/(?<=\bpid )\d+/g, '{{pid}}')
        .replace(/(?<="http:\/\/127\.0\.0\.1:)\d+/g, '{{port}}')
        .replace(/(?<=\/)[\w-]{32}(?=\/mcp)/g, '{{secret}}')
        .replace(/(?<=left alone for |is tried in )\d+/g, '{{some}}')
        .replace(/\b[a-z0-9]{25}\b/g, '{{token}}')
        .replace(/\b[0-9a-f]{64}\b/g, '{{hash}}')
        .replace(/\bsha256:[0-9a-f]{12}\b/g, '{{digest}}')
        .replace(/(?<=swapped in |"(?:build|swap)Ms": )[\d.]+/g, '{{ms}}')
        .replace(/\b[0-9a-f]{32}\b/g, '{{log}}')
        // How long a call took, at the end of a row.
        .replace(/(?<= {2})\d+\.\d$/gm, '{{ms}}')
    );
  }
}

function linesOf(text: string): string[] {
  const lines = text.split('\n').map((line) => line.trimEnd());
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}
