// One chaos run's town: a gateway with a server of its own (`own`), a bridge with another (`far`), agents of both eras, and the
// three ledgers. Troubles are noted as they are made; `verdict` holds everything against the oracle.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { processesWith } from '@mcp-overlay/relay/testing';
import { type Finished, runToEnd } from '../e2e/harness.ts';
import { commandBackend, shareBackend } from '../e2e/servers.ts';
import { Actor } from './actor.ts';
import { leaks } from './canary.ts';
import { ChaosAgent, type Era } from './chaos-agent.ts';
import { ClientLedger } from './client-ledger.ts';
import type { Dice } from './dice.ts';
import type { Ground } from './ground.ts';
import { disturbed, neighbours } from './neighbours.ts';
import { type AuditRecord, type Finding, judge, type Ran, type Trouble } from './oracle.ts';

const SERVER = fileURLToPath(new URL('./server.mjs', import.meta.url));
/** In every town. `far` is the bridge's; nobody ever does anything to `calm`. */
export const SERVERS = ['own', 'far', 'calm'] as const;

export interface SceneOptions {
  /** One agent each. */
  readonly eras?: readonly Era[];
  /** A call without a terminal outcome by then has none. */
  readonly deadlineMs?: number;
  readonly config?: Readonly<Record<string, unknown>>;
  /** A server that hangs is given up after it. */
  readonly callTimeout?: string;
  /** More servers of the gateway: one that dies often is left alone for two minutes. */
  readonly more?: readonly string[];
  /** Of these, those whose calls the operator lets run again. */
  readonly safe?: readonly string[];
}

export class Scene implements AsyncDisposable {
  readonly ground: Ground;
  readonly ledger = new ClientLedger();
  readonly troubles: Trouble[] = [];
  readonly gateway: Actor;
  readonly bridge: Actor;
  readonly agents: ChaosAgent[];
  readonly config: string;
  readonly marker: string;
  readonly dice: Dice;
  readonly servers: readonly string[];
  readonly owners: Readonly<Record<string, 'gateway' | 'bridge'>>;
  readonly safe: readonly string[];

  /** The server `own` has it, and says it wherever it can. */
  readonly secret = `S3cret${randomBytes(16).toString('hex')}`;
  readonly #callTimeout: string;
  readonly #deadlineMs: number;

  private constructor(ground: Ground, dice: Dice, config: string, marker: string, options: SceneOptions) {
    const { eras = ['legacy', 'modern', 'legacy', 'modern'], deadlineMs = 60_000, callTimeout = '15s' } = options;
    this.#deadlineMs = deadlineMs;
    this.#callTimeout = callTimeout;
    this.servers = [...SERVERS, ...(options.more ?? [])];
    this.safe = options.safe ?? [];
    this.owners = Object.fromEntries(this.servers.map((name) => [name, name === 'far' ? 'bridge' : 'gateway']));
    this.ground = ground;
    this.dice = dice;
    this.config = config;
    this.marker = marker;
    this.gateway = new Actor(
      'gateway',
      ground.house,
      ground.gatewayProgram(config),
      ground.gatewayProgram(config, '--replace'),
    );
    const { command, args } = serverOf(ground, 'far', marker);
    this.bridge = new Actor('bridge', ground.house, ground.bridgeProgram(command, ...args));
    this.agents = eras.map((era, n) => this.agent(`c${n}`, era));
  }

  static async open(ground: Ground, dice: Dice, options: SceneOptions = {}): Promise<Scene> {
    const { house } = ground;
    const marker = `chaos-${randomBytes(8).toString('hex')}`;
    const config = join(house.home, 'chaos.yml');
    const scene = new Scene(ground, dice, config, marker, options);
    await writeFile(join(house.home, 'secret'), scene.secret, { mode: 0o600 });
    await writeFile(join(house.home, 'audit.key'), randomBytes(32).toString('hex'), { mode: 0o600 });
    await writeFile(config, JSON.stringify(scene.configuration(options.config)));
    await scene.bridge.start();
    await scene.gateway.start();
    await Promise.all(scene.agents.map((agent) => agent.start()));
    return scene;
  }

  /** Not started, and nobody's but the caller's. */
  agent(name: string, era: Era): ChaosAgent {
    const { ground, ledger, dice } = this;
    const program = ground.agentProgram();
    return new ChaosAgent({ name, era, program, ledger, dice: dice.fork(), secret: this.secret }, this.#deadlineMs);
  }

  /** What is in the gateway's file; JSON is YAML. */
  configuration(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
    const { ground, marker } = this;
    const tools = { mode: 'deny', list: ['forbidden'] };
    const stdio = (name: string) => {
      const retry = this.safe.includes(name) ? { retry: { safe: ['*'] } } : {};
      const backend = commandBackend(name, serverOf(ground, name, marker), { tools, ...retry });
      const secret = { CHAOS_SECRET: `file:${join(ground.house.home, 'secret')}` };
      return name === 'own' ? { ...backend, transport: { ...backend.transport, env: secret } } : backend;
    };
    return {
      aggregator: { connection: { list_wait: '20s', call_timeout: this.#callTimeout } },
      share: ground.share,
      audit: { path: './audit', key: 'file:./audit.key', durability: 'os', arguments: 'clear' },
      backends: this.servers.map((name) =>
        name === 'far' ? shareBackend('far', ground.bridgeShare, { tools }) : stdio(name),
      ),
      ...more,
    };
  }

  /** How this server behaves from its next start and its next call on; '' is well. */
  async mood(server: string, mood: string): Promise<void> {
    await writeFile(moodFile(this.ground, server), mood);
  }

  pidsOf(server: string): number[] {
    const mark = `${this.marker}-${server}`;
    return processesWith(mark).filter((pid) => isServer(pid, mark));
  }

  /** Notes the trouble while `work` makes it. */
  async trouble<T>(what: string, of: string, death: boolean, work: () => Promise<T>): Promise<T> {
    const trouble: Trouble = { what, of, death, at: Date.now() };
    this.troubles.push(trouble);
    try {
      return await work();
    } finally {
      trouble.until = Date.now();
    }
  }

  async records(): Promise<AuditRecord[]> {
    const base = join(this.ground.house.home, 'audit');
    const files = (await readdir(base, { recursive: true })).filter((name) => /\d{10}\.jsonl$/.test(name));
    const texts = await Promise.all(files.sort().map((name) => readFile(join(base, name), 'utf8')));
    return texts.flatMap((text) => lines<AuditRecord>(text));
  }

  async ran(): Promise<Ran[]> {
    const texts = await Promise.all(
      this.servers.map((server) => readFile(ledgerOf(this.ground, server), 'utf8').catch(() => '')),
    );
    return texts.flatMap((text) => lines<Ran>(text));
  }

  /** Findings of the oracle, and of `audit verify`. */
  async verdict(): Promise<Finding[]> {
    const [ran, records] = [await this.ran(), await this.records()];
    const { ledger, owners, safe, troubles } = this;
    const found = judge({
      calls: ledger.calls.values(),
      strange: ledger.strange,
      ran,
      records,
      troubles,
      owners,
      safe,
    });
    const { code, stdout, stderr } = await runToEnd(this.ground.admin('audit', 'verify', this.config));
    const killed = troubles.some(({ of, death }) => of === 'gateway' && death);
    if (code !== 0 && !(killed && code === 2))
      found.push({ inv: 'I6', text: `audit verify: ${code}\n${stdout}${stderr}` });
    found.push(...disturbed(neighbours(ledger.calls.values(), troubles, this.servers)));
    return [...found, ...(await this.#leaks())];
  }

  async #leaks(): Promise<Finding[]> {
    const { ground, gateway, bridge, agents, secret } = this;
    const { home } = ground.house;
    const said: Record<string, string> = Object.fromEntries(agents.map(({ name, stdio }) => [name, stdio.stderr]));
    for (const { name, running } of [gateway, bridge]) said[name] = running.stderr();
    return leaks({ secret, folder: home, source: join(home, 'secret'), holders: this.pidsOf('own'), said });
  }

  /** Each agent asks each server; all must be well. Resolves with how long the slowest took. */
  async settle(servers: readonly string[] = SERVERS): Promise<number> {
    const from = performance.now();
    const calls = this.agents.flatMap((agent) => servers.map((server) => agent.call({ server })));
    for (const call of await Promise.all(calls)) {
      if (call.outcome !== 'ok') throw new Error(`not well after the trouble: ${JSON.stringify(call)}\n${this.said()}`);
    }
    return performance.now() - from;
  }

  /** A second gateway with the same file, as somebody starts it by mistake. */
  second(): Promise<Finished> {
    return runToEnd(this.ground.gatewayProgram(this.config));
  }

  reload(): Promise<Finished> {
    return runToEnd(this.ground.admin('reload'));
  }

  /** What the programs wrote last. */
  said(): string {
    return [this.gateway, this.bridge]
      .map(({ name, running }) => `${name}: ${running.stderr().slice(-2000)}`)
      .join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const agent of this.agents) await agent[Symbol.asyncDispose]();
    await this.gateway.end();
    await this.bridge.end();
    const until = Date.now() + 10_000;
    while (processesWith(this.marker).length > 0) {
      if (Date.now() > until) throw new Error(`servers are left: ${processesWith(this.marker)}`);
      await wait(20);
    }
  }
}

function serverOf({ house }: Ground, name: string, marker: string): { command: string; args: string[] } {
  const files = [ledgerOf({ house }, name), moodFile({ house }, name)];
  return { command: process.execPath, args: [SERVER, name, ...files, `${marker}-${name}`] };
}

function ledgerOf({ house }: Pick<Ground, 'house'>, server: string): string {
  return join(house.home, `${server}.ledger.jsonl`);
}

function moodFile({ house }: Pick<Ground, 'house'>, server: string): string {
  return join(house.home, `${server}.mood`);
}

/** The last line may be torn: what it says was not said. */
function lines<T>(text: string): T[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as T);
}

/** Not a wrapper around it, nor the bridge, which has the server's words among its own, nor one with a longer name. */
function isServer(pid: number, mark: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
    return words[1] === SERVER && words.includes(mark);
  } catch {
    return false;
  }
}
