// A house for one test: the built programs in a state folder of their own, joined over the local overlay. What a test
// starts here is ended here, by process id, and the end fails if anything that descends from it is still alive.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { descendants, type ProcessLine, stillAlive } from './processes.ts';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** From spawn to the one line on stdout; loaded machines are slow. */
const readyMs = 20_000;
/** What is promised of a program after SIGTERM is 8 s; the rest is for a loaded machine. */
const DEFAULT_END_MS = 15_000;
/** For what comes by itself: back-off, redials. */
const eventuallyMs = 40_000;
const stderrBytes = 256 * 1024;

/** Servers start slowly on a loaded machine, and what is tested here is not how long they may take. */
const PATIENT = { aggregator: { connection: { list_wait: '30s' } } };

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Running {
  readonly pid: number;
  /** What its one stdout line says. */
  readonly ready: Readonly<Record<string, string>>;
  /** Everything it wrote on stderr so far. */
  stderr(): string;
  /** Its exit code, when it ends by itself. */
  readonly ended: Promise<number | null>;
  /** Signals it and resolves with its exit code, null when the signal ended it. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface Backend {
  readonly id: string;
  readonly transport: Readonly<Record<string, unknown>>;
  readonly [key: string]: unknown;
}

/** The part of `mcp-gateway status --json` that tests look at. */
export interface GatewayStatus {
  readonly views: readonly { readonly view: string; readonly token: string }[];
  readonly pid: number;
  readonly share: string;
  readonly calls: { readonly open: number };
  readonly overload: { readonly level: number };
  readonly troubles: readonly { readonly about: string; readonly failed: string }[];
  readonly backends: readonly {
    readonly id: string;
    readonly state: string;
    readonly reason?: string;
    readonly restarts: number;
    readonly calls: number;
    readonly strayLines: number;
    readonly circuit?: string;
    readonly servers?: {
      readonly running: number;
      readonly spare: number;
      readonly asleep: number;
      readonly failures: number;
      readonly retrySeconds?: number;
      readonly stderr: readonly string[];
    };
    readonly protocol?: { readonly era: string; readonly revision?: string; readonly from: string };
  }[];
  readonly sessions: readonly {
    readonly number: number;
    readonly by?: string;
    readonly protocol: string;
    readonly calls: number;
    readonly openCalls: number;
    readonly backends: readonly { readonly id: string; readonly phase: string; readonly reason?: string }[];
    readonly link?: Readonly<Record<string, unknown>>;
  }[];
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command that ends by itself. */
export async function runToEnd({ command, args, env }: Command, input = ''): Promise<Finished> {
  const child = spawn(command, [...args], { env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

export class House implements AsyncDisposable {
  readonly home: string;
  readonly #running: Running[] = [];
  /** Descendants of this test that are none of ours. */
  readonly #before: ReadonlySet<number>;
  readonly #endMs: number;
  #configs = 0;

  private constructor(home: string, before: ReadonlySet<number>, endMs: number) {
    this.home = home;
    this.#before = before;
    this.#endMs = endMs;
  }

  static async open(endMs: number = DEFAULT_END_MS): Promise<House> {
    const before = await descendants([process.pid]);
    return new House(await mkdtemp(join(tmpdir(), 'house-')), new Set(before.map(({ pid }) => pid)), endMs);
  }

  /** How to start one of our programs by hand, for a client that spawns its server itself. */
  program(name: 'gateway' | 'bridge' | 'tools', ...args: readonly string[]): Command {
    const file = join(root, 'dist', `mcp-${name}.js`);
    if (!existsSync(file)) throw new Error(`${file} is missing: npm run build`);
    const { PATH = '', HOME = '' } = process.env;
    return { command: process.execPath, args: [file, ...args], env: { PATH, HOME, MCP_OVERLAY_HOME: this.home } };
  }

  /** A gateway over these backends; resolves with its share token. */
  async gateway(backends: readonly Backend[], more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    return tokenOf(await this.start(this.gatewayProgram(await this.config(backends, more))));
  }

  /** Writes a configuration file; resolves with its path. */
  async config(backends: readonly Backend[], more: Readonly<Record<string, unknown>> = {}): Promise<string> {
    this.#configs += 1;
    const file = join(this.home, `gateway-${this.#configs}.yml`);
    await writeFile(file, stringify({ ...PATIENT, ...more, backends }));
    return file;
  }

  gatewayProgram(file: string, ...flags: readonly string[]): Command {
    return this.program('gateway', 'run', file, '--overlay', 'local', ...flags);
  }

  /** What an agent starts. */
  agentProgram(token: string, ...flags: readonly string[]): Command {
    return this.program('tools', 'run', token, '--overlay', 'local', ...flags);
  }

  /** A persistent share; resolves with its token. */
  async createShare(name: string): Promise<string> {
    const { code, stdout, stderr } = await runToEnd(this.program('tools', 'create', name, '--overlay', 'local'));
    if (code !== 0) throw new Error(`create ${name}: ${stderr}`);
    return (JSON.parse(stdout) as { share_token: string }).share_token;
  }

  /** The socket a hosted share listens on. */
  socket(token: string): string {
    return join(this.home, 'run', `${token}.sock`);
  }

  /** `mcp-gateway status --json` of the gateway on this share. */
  async status(token: string): Promise<GatewayStatus> {
    const { code, stdout, stderr } = await runToEnd(this.program('gateway', 'status', token, '--json'));
    if (code !== 0) throw new Error(`status ${token}: ${stderr}`);
    return JSON.parse(stdout) as GatewayStatus;
  }

  /** Of the one gateway that runs here, whoever started it. */
  async untilStatusOfAny(fits: (status: GatewayStatus) => boolean): Promise<GatewayStatus> {
    const until = Date.now() + eventuallyMs;
    for (;;) {
      const { code, stdout, stderr } = await runToEnd(this.program('gateway', 'status', '--json'));
      const status = code === 0 ? (JSON.parse(stdout) as GatewayStatus) : undefined;
      if (status !== undefined && fits(status)) return status;
      if (Date.now() > until) throw new Error(`never so: ${stdout}${stderr}`);
      await wait(100);
    }
  }

  /** Asks until it is so; says what was last seen when it never is. */
  async untilStatus(token: string, fits: (status: GatewayStatus) => boolean): Promise<GatewayStatus> {
    const until = Date.now() + eventuallyMs;
    for (;;) {
      const status = await this.status(token);
      if (fits(status)) return status;
      if (Date.now() > until) throw new Error(`never so: ${JSON.stringify(status, null, 1)}`);
      await wait(100);
    }
  }

  /** A bridge around one stdio server; resolves with its share token. */
  async bridge(...command: readonly string[]): Promise<string> {
    return tokenOf(await this.start(this.program('bridge', '--overlay', 'local', ...command)));
  }

  /** An HTTP door on a free loopback port; resolves with the URL as printed. */
  async http(token: string, ...flags: readonly string[]): Promise<string> {
    const program = this.program('tools', 'http', token, '--overlay', 'local', '--bind', '127.0.0.1:0', ...flags);
    return word(await this.start(program), 'url');
  }

  /** Starts a serving program and waits for its line. */
  async start(program: Command): Promise<Running> {
    const running = await startProgram(program, this.#endMs);
    this.#running.push(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Also what a client of the test spawned for itself.
    const ours = (await descendants([process.pid])).filter(({ pid }) => !this.#before.has(pid));
    // Doors first, then hosts: the order in which a person would end them.
    for (const running of this.#running.toReversed()) await running.end();
    await rm(this.home, { recursive: true, force: true });
    await nothingLeft(ours, this.#endMs);
  }
}

async function startProgram({ command, args, env }: Command, endMs: number): Promise<Running> {
  const child = spawn(command, [...args], { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} does not start`);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-stderrBytes);
  });
  const ended = once(child, 'close') as Promise<[number | null]>;
  const end = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    const code = await Promise.race([ended.then(([said]) => said), wait(endMs, 'late' as const, { ref: false })]);
    if (code !== 'late') return code;
    child.kill('SIGKILL');
    throw new Error(`${nameOf(args)} was alive ${endMs} ms after ${signal}\n${stderr}`);
  };
  try {
    const ready = await firstLine(child);
    return { pid, ready, stderr: () => stderr, ended: ended.then(([code]) => code), end };
  } catch (error) {
    await end('SIGKILL');
    throw new Error(`${nameOf(args)} did not become ready: ${String(error)}\n${stderr}`);
  }
}

async function firstLine(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Record<string, string>> {
  const lines = createInterface({ input: child.stdout });
  const line = await new Promise<string>((resolve, reject) => {
    lines.once('line', resolve);
    child.once('exit', (code, signal) => reject(new Error(`ended with ${signal ?? code}`)));
    setTimeout(() => reject(new Error(`no line in ${readyMs} ms`)), readyMs).unref();
  });
  lines.close();
  child.stdout.resume();
  return JSON.parse(line) as Record<string, string>;
}

async function nothingLeft(ours: readonly ProcessLine[], endMs: number): Promise<void> {
  const until = Date.now() + endMs;
  for (;;) {
    const left = await stillAlive(ours);
    if (left.length === 0) return;
    if (Date.now() > until) {
      for (const { pid } of left) process.kill(pid, 'SIGKILL');
      while ((await stillAlive(left)).length > 0) await wait(20);
      throw new Error(`left behind: ${left.map(({ pid, args }) => `${pid} ${args}`).join('; ')}`);
    }
    await wait(50);
  }
}

function tokenOf(running: Running): string {
  return word(running, 'share_token');
}

function word(running: Running, key: string): string {
  const value = running.ready[key];
  if (value === undefined) throw new Error(`no ${key} in ${JSON.stringify(running.ready)}`);
  return value;
}

function nameOf(args: readonly string[]): string {
  return args.slice(0, 3).join(' ');
}
