// Another configuration while the gateway runs: a changed file, SIGHUP or a command. In this order: read -> what cannot change
// -> build whole -> record -> swap -> end what is not let in any more -> tell clients. Whatever fails before the swap leaves
// everything as it was. One at a time.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DEFAULTS, type GatewayConfig, loadGatewayConfig } from '@mcp-overlay/config';
import type { AuditLog } from './audit/audit-log.ts';
import type { Backend } from './backend/backend.ts';
import type { GatewayLog } from './call/log.ts';
import { buildGeneration, type Draft, type Generation, type World } from './generation.ts';
import { lockFileOf } from './pinning.ts';
import { type Change, changesBetween, prefixesOf, renamings } from './reload/changes.ts';
import { refuseFixed } from './reload/fixed.ts';
import type { Applied, ConfigStatus, Rejected, ReloadOutcome } from './reload/outcome.ts';
import { type FileWatch, watchFile } from './reload/watch.ts';
import type { Probes } from './session/probe.ts';
import type { Shares } from './shares.ts';

export interface Reloads {
  /** `plan`: only says what would be done. Never rejects. */
  reload(by: Trigger, more?: { readonly plan?: boolean }): Promise<ReloadOutcome>;
  status(): ConfigStatus;
  /** Takes over nothing more. */
  stop(): Promise<void>;
  /** Those in force, and those that sessions have besides. */
  backends(): readonly Backend[];
}

export type Trigger = 'file' | 'signal' | 'command';

export interface ReloadsOptions {
  readonly world: World;
  readonly shares: Shares;
  readonly probes: Probes;
  readonly audit: AuditLog | undefined;
  readonly log: GatewayLog;
  readonly env: NodeJS.ProcessEnv;
  /** As the user named it. */
  readonly file: string;
}

const RENEWED = 'credentials of a backend have changed';
const REPLACED = { code: 'done', reason: 'the configuration has changed' };
const DRAINED = 'the configuration has changed, and the time to go on as before is over';

export function openReloads(options: ReloadsOptions): Reloads {
  const reloads = new OpenReloads(options);
  reloads.watch();
  return reloads;
}

class OpenReloads implements Reloads {
  readonly #options: ReloadsOptions;
  readonly #drains = new Set<NodeJS.Timeout>();
  /** Generations with sessions, perhaps. */
  #live: Generation[];
  #watching: FileWatch | undefined;
  #work: Promise<unknown> = Promise.resolve();
  /** Of the bytes that were looked at last. */
  #seen: string;
  #failed: ConfigStatus['failed'];
  #closed = false;

  constructor(options: ReloadsOptions) {
    this.#options = options;
    this.#live = [this.#now];
    this.#seen = this.#digest;
  }

  reload(by: Trigger, { plan = false } = {}): Promise<ReloadOutcome> {
    const run = this.#work.then(() => this.#attempt(by, plan));
    this.#work = run;
    return run;
  }

  status(): ConfigStatus {
    const { number: generation, since, config } = this.#now;
    return {
      file: config.file,
      digest: this.#digest,
      generation,
      since: new Date(since).toISOString(),
      watched: this.#watching !== undefined,
      prefixes: prefixesOf(config),
      draining: this.#older(generation),
      ...(this.#failed && { failed: this.#failed }),
    };
  }

  async stop(): Promise<void> {
    this.#closed = true;
    this.#watching?.close();
    for (const timer of this.#drains) clearTimeout(timer);
    await this.#work;
  }

  backends(): readonly Backend[] {
    return [...new Set(this.#live.flatMap(({ settings }) => settings.backends.map(({ backend }) => backend)))];
  }

  /** As the configuration in force says. A watch that goes on is left alone: it may be about to tell of a change. */
  watch(): void {
    const { file, digest, reload } = this.#now.config;
    const wanted = (reload?.watch ?? true) && !this.#closed;
    if (wanted === (this.#watching !== undefined)) return;
    this.#watching?.close();
    this.#watching = wanted ? watchFile(file, () => void this.reload('file')) : undefined;
    // It may be another one since it was read.
    if (wanted && digest !== undefined) void this.reload('file');
  }

  get #now(): Generation {
    const { now } = this.#options.world;
    if (!now) throw new TypeError('nothing is in force');
    return now;
  }

  get #digest(): string {
    return this.#now.config.digest ?? 'none';
  }

  #older(than: number): number {
    return this.#options.shares.sessions().filter(({ session }) => session.generation < than).length;
  }

  async #attempt(by: Trigger, plan: boolean): Promise<ReloadOutcome> {
    const digest = await digestOf(this.#now.config.file);
    // Touched, or written again as it was; or what was looked at already, and refused.
    if (this.#closed || (by === 'file' && digest === this.#seen)) return this.#unchanged();
    if (!plan) this.#seen = digest;
    if (by === 'file' && digest === this.#digest) {
      this.#forgive();
      return this.#unchanged();
    }
    const loop = monitorEventLoopDelay({ resolution: 1 });
    try {
      loop.enable();
      return await this.#take(by, plan, () => Math.round(loop.max / 1e4) / 100);
    } catch (error) {
      const rejected = this.#rejected(error);
      if (!plan) await this.#reject(by, digest, rejected);
      return rejected;
    } finally {
      loop.disable();
    }
  }

  /** `stallMs`: the longest time so far for which nothing else went on in this process. */
  async #take(by: Trigger, plan: boolean, stallMs: () => number): Promise<ReloadOutcome> {
    const { world, shares, audit, env, file } = this.#options;
    const before = this.#now;
    const begun = performance.now();
    const { config, notes } = await loadGatewayConfig(file, { env, cwd: process.cwd() });
    const [old, now] = await Promise.all([lockFileOf(before.config, env), lockFileOf(config, env)]);
    refuseFixed({ config: before.config, lockFile: old }, { config, lockFile: now }, file);
    const draft = await buildGeneration(world, config, before);
    const changes = changesBetween(before.config, config, draft.rotated);
    const warnings = renamings(prefixesOf(before.config), prefixesOf(config));
    const planned = { ...this.#facts(draft, changes, warnings), buildMs: since(begun) };
    if (plan || (changes.length === 0 && config.digest === before.config.digest)) {
      await draft.discard();
      if (!plan) this.#forgive();
      return plan && changes.length > 0 ? { ...planned, outcome: 'planned' } : this.#unchanged();
    }
    if (this.#closed) {
      await draft.discard();
      return this.#unchanged();
    }
    const prepared = await shares.prepare(draft.generation.views).catch(async (error: unknown) => {
      await draft.discard();
      throw error;
    });
    try {
      await audit?.append({ type: 'config.apply', digest: config.digest ?? 'none', reason: by });
    } catch (error) {
      await Promise.all([prepared.abort(), draft.discard()]);
      throw error;
    }
    const { log } = this.#options;
    for (const { text: note } of notes) log.info({ note }, 'configuration note');
    for (const warning of warnings) log.warn({ warning }, 'configuration changes names');
    const swapMs = this.#swap(draft, before);
    const { ended } = await this.#settle(draft, before, prepared.commit);
    const draining = this.#older(draft.generation.number);
    const drainUntil = draining > 0 ? new Date(Date.now() + maxDrainOf(config)).toISOString() : undefined;
    const applied: Applied = { ...planned, ended, draining, swapMs, ...(drainUntil !== undefined && { drainUntil }) };
    const { generation, digest, buildMs } = applied;
    const fields = {
      by,
      generation,
      digest,
      changes: changes.map(inWords),
      ended,
      draining,
      buildMs,
      swapMs,
      stallMs: stallMs(),
    };
    this.#options.log.info(fields, 'configuration applied');
    return applied;
  }

  /** Nothing waits in here: there is no moment at which one half is old and the other new. */
  #swap(draft: Draft, before: Generation): number {
    const begun = performance.now();
    draft.apply();
    if (draft.carries)
      for (const one of this.#live) if (one.origin.generation === before) one.origin.generation = draft.generation;
    this.#live.push(draft.generation);
    this.#failed = undefined;
    return since(begun);
  }

  /** What was taken away ends, and who can see less is told. What one of these cannot do now keeps the others from nothing. */
  async #settle(draft: Draft, before: Generation, commitShares: () => Promise<void>): Promise<{ ended: number }> {
    const { shares, probes, log } = this.#options;
    const { generation, renewed } = draft;
    const old = new Set(before.settings.backends.map(({ backend }) => backend.id).filter((id) => renewed.has(id)));
    const issuers = before.issuers !== generation.issuers;
    let ended = 0;
    const steps: readonly (() => Promise<unknown>)[] = [
      async () => {
        ended += await shares.outgrow();
      },
      async () => {
        ended += await shares.renew(
          (session, { id }) =>
            (issuers && id.startsWith('jwt:')) ||
            (session.generation < generation.number && session.backendStates().some((one) => old.has(one.id))),
          RENEWED,
        );
      },
      commitShares,
      () => probes.use(generation.settings),
      () => draft.retire(),
      () => shares.refresh(),
      () => this.#sweep(),
    ];
    for (const step of steps) {
      await step().catch((error: unknown) =>
        log.warn({ error: String(error) }, 'configuration applied, but not to its end'),
      );
    }
    this.watch();
    this.#drain(generation);
    return { ended };
  }

  #drain({ number, config }: Generation): void {
    const timer = setTimeout(() => {
      this.#drains.delete(timer);
      this.#endOld(number).catch((error: unknown) => {
        this.#options.log.warn(
          { error: String(error), generation: number },
          'an older configuration did not end in order',
        );
      });
    }, maxDrainOf(config)).unref();
    this.#drains.add(timer);
  }

  async #endOld(generation: number): Promise<void> {
    const sessions = await this.#options.shares.drain(generation, DRAINED);
    if (sessions > 0) this.#options.log.info({ sessions, generation }, 'sessions of an older configuration ended');
    await this.#sweep();
  }

  /** Backends that no session has any more end with what they had in common. */
  async #sweep(): Promise<void> {
    const inUse = new Set<unknown>(this.#options.shares.sessions().map(({ session }) => session.origin));
    const gone = this.#live.filter((one) => one !== this.#now && !inUse.has(one.origin));
    this.#live = this.#live.filter((one) => !gone.includes(one));
    const used = new Set(this.backends());
    const unused = new Set(gone.flatMap(({ settings }) => settings.backends.map(({ backend }) => backend)));
    const ending = [...unused].filter((backend) => !used.has(backend));
    await Promise.all(ending.map((backend) => backend.close?.(REPLACED)));
  }

  #facts(draft: Draft, changes: readonly Change[], warnings: readonly string[]): Applied {
    const { number: generation, config } = draft.generation;
    const draining = draft.carries ? 0 : this.#older(generation);
    const digest = config.digest ?? 'none';
    return { outcome: 'applied', generation, digest, changes, warnings, ended: 0, draining, buildMs: 0, swapMs: 0 };
  }

  #unchanged(): ReloadOutcome {
    return { outcome: 'unchanged', generation: this.#now.number, digest: this.#digest };
  }

  #rejected(error: unknown): Rejected {
    const { code, hint } = error as { code?: unknown; hint?: unknown };
    return {
      outcome: 'rejected',
      message: error instanceof Error ? error.message : String(error),
      ...(typeof code === 'string' && { code }),
      ...(typeof hint === 'string' && { hint }),
      generation: this.#now.number,
      digest: this.#digest,
    };
  }

  async #reject(by: Trigger, digest: string, { message, hint }: Rejected): Promise<void> {
    const { audit, log } = this.#options;
    const again = this.#watching ? 'it is read again as soon as it changes' : 'then: mcp-gateway reload';
    const remedy = `${hint ?? 'mend the file'}; ${again}`;
    this.#failed = { at: new Date().toISOString(), why: message, remedy };
    const inForce = new Date(this.#now.since).toISOString();
    log.warn({ by, error: message, remedy, inForce }, 'configuration rejected, the old one stays');
    await audit?.append({ type: 'config.reject', digest, reason: message }).catch((error: unknown) => {
      log.warn({ error: String(error) }, 'rejected configuration is not on record');
    });
  }

  /** The file is again what is in force. */
  #forgive(): void {
    if (!this.#failed) return;
    this.#failed = undefined;
    this.#options.log.info({ digest: this.#digest }, 'the configuration in force is what the file says again');
  }
}

async function digestOf(file: string): Promise<string> {
  const bytes = await readFile(file).catch(() => undefined);
  return bytes ? `sha256:${createHash('sha256').update(bytes).digest('hex')}` : 'none';
}

function maxDrainOf({ reload }: GatewayConfig): number {
  return reload?.maxDrainMs ?? DEFAULTS.maxDrainMs;
}

function since(begun: number): number {
  return Math.round((performance.now() - begun) * 1000) / 1000;
}

function inWords({ what, name, change }: Change): string {
  return `${what}${name === '' ? '' : ` ${name}`} ${change}`;
}
