// A service hosted by this process: binds at up to `maxTerminators` routers, made again for as long as the listener lives. The
// run loop starts a keeper (./keeper.ts) for each router and replaces those that gave up; what they bind with is in
// ./standing.ts. A router that sees the listener's id again takes the old terminator over, together with the key it was made
// with (ziti router/xgress_edge/hosted.go): so id and keys live as long as the listener, and terminators do not pile up.
// Invariant: one bind for each router at most, besides one that a newer one is about to replace; after `close` nobody comes in.

import type { Controller, EdgeRouterInfo } from '../controller/types.ts';
import type { Sodium } from '../crypto/sodium.ts';
import { ZitiError, type ZitiErrorCode } from '../errors.ts';
import type { ZitiLog } from '../log.ts';
import { Bind, type BindEnd } from './bind.ts';
import type { CloseMeans, ZitiConnection } from './connection.ts';
import { Deadline } from './deadline.ts';
import type { EdgeChannel } from './edge-channel.ts';
import type { EdgeRouters } from './edge-routers.ts';
import type { Precedence } from './ids.ts';
import type { Reception } from './inbound.ts';
import { Keeper, type KeeperEnv } from './keeper.ts';
import type { Caller, TerminatorWeight } from './messages.ts';
import { backoffMs, Pause } from './retry.ts';
import { type Standing, Standings } from './standing.ts';
import type { Timing } from './timing.ts';

export type ListenerPhase = 'connecting' | 'bound' | 'lost' | 'closed';

export interface ListenOptions {
  /** Called once for each connection, when both ends have their keys. */
  readonly onConnection: (connection: ZitiConnection) => void;
  /** bound: callers can reach us. lost: they cannot, and we are trying to change that. */
  readonly onPhase?: ((phase: ListenerPhase, error: ZitiError | undefined) => void) | undefined;
  /** A text refuses the caller; it is told, in the middle of the router's own words. Answer at once. */
  readonly admit?: ((caller: Caller) => string | undefined) | undefined;
  /** Among several hosts the one with the lowest cost is called. 0…65535, default 0. */
  readonly cost?: number | undefined;
  readonly precedence?: Precedence | undefined;
  /** Reached by this name only. */
  readonly instance?: string | undefined;
  /** Routers that bring us callers. Default 3. */
  readonly maxTerminators?: number | undefined;
  /** Until the first bind holds. Default 60 000. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait for the first bind, not the listener. */
  readonly signal?: AbortSignal | undefined;
  readonly closeMeans?: CloseMeans | undefined;
}

export interface ListenerEnv {
  readonly controller: Controller;
  readonly routers: EdgeRouters;
  readonly sodium: Sodium;
  readonly timing: Timing;
  readonly log: ZitiLog;
  /** Called once, at the end. */
  readonly onClosed: (listener: ZitiListener) => void;
}

/** For status reports. */
export interface ListenerState {
  readonly service: string;
  readonly phase: ListenerPhase;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly terminators: readonly {
    readonly router: string;
    readonly bound: boolean;
    readonly lastError: string | undefined;
  }[];
  readonly lastError: string | undefined;
}

const MAX_TERMINATORS = 3;
const FIRST_BIND_MS = 60_000;
/** Before anything was bound these are the answer; afterwards they may pass. */
const FINAL: readonly ZitiErrorCode[] = [
  'service_not_found',
  'service_not_permitted',
  'posture_failed',
  'instance_taken',
  'login_refused',
  'login_incomplete',
  'controller_closed',
  'context_closed',
];

export class ZitiListener {
  readonly service: string;
  readonly #options: ListenOptions;
  readonly #env: ListenerEnv;
  readonly #closing = new AbortController();
  readonly #standings: Standings;
  readonly #keepers = new Map<string, Keeper>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #binds = new Set<Bind>();
  readonly #pause = new Pause();
  /** Routers that failed for a while, and until when others go first. */
  readonly #restUntil = new Map<string, number>();
  #weight: TerminatorWeight;
  #phase: ListenerPhase = 'connecting';
  #since = Date.now();
  #everBound = false;
  #lastError: ZitiError | undefined;
  #onFirst: { resolve(): void; reject(error: ZitiError): void } | undefined;
  #closed: Promise<void> | undefined;

  constructor(service: string, options: ListenOptions, env: ListenerEnv) {
    this.service = service;
    this.#options = options;
    this.#env = env;
    this.#weight = { cost: options.cost ?? 0, precedence: options.precedence ?? 'default' };
    this.#standings = new Standings(service, env, this.#closing.signal);
  }

  /** Called once. Resolves when callers can come. Rejects at once if the network says no, else with `bind_timeout`, and the
   * listener is closed then. */
  async start(): Promise<void> {
    const { timeoutMs = FIRST_BIND_MS, signal } = this.#options;
    using deadline = new Deadline({
      ms: timeoutMs,
      late: 'bind_timeout',
      what: `hosting service ${this.service}`,
      stage: 'no router made a terminator',
      signal,
    });
    const first = new Promise<void>((resolve, reject) => {
      this.#onFirst = { resolve, reject };
    });
    this.#spawn(this.#run());
    try {
      await deadline.race(first);
    } catch (error) {
      const last = this.#lastError;
      await this.close();
      throw withCause(error as ZitiError, last);
    }
  }

  get phase(): ListenerPhase {
    return this.#phase;
  }

  /** Changes the terminators that are, and those to come. */
  update(weight: Partial<TerminatorWeight>): void {
    this.#weight = { ...this.#weight, ...weight };
    for (const bind of this.#binds) bind.update(this.#weight);
  }

  state(): ListenerState {
    const terminators = [...this.#keepers.values()].map(({ router, bound, lastError }) => ({
      router,
      bound,
      lastError: lastError?.message,
    }));
    const lastError = this.#lastError?.message;
    return { service: this.service, phase: this.#phase, since: this.#since, terminators, lastError };
  }

  /** Unbinds everywhere. Connections live on. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#shut();
    return this.#closed;
  }

  async #shut(): Promise<void> {
    const error = new ZitiError('listener_closed', `the listener of service ${this.service} was closed`);
    this.#closing.abort(error);
    for (const bind of [...this.#binds]) bind.close();
    this.#enter('closed', undefined);
    this.#onFirst?.reject(error);
    await Promise.all(this.#tasks);
    this.#env.onClosed(this);
  }

  #spawn(task: Promise<void>): void {
    this.#tasks.add(task);
    void task.finally(() => this.#tasks.delete(task));
  }

  /** Starts keepers while there are too few; ends with the listener. */
  async #run(): Promise<void> {
    const { timing } = this.#env;
    const { signal } = this.#closing;
    let [failures, rounds] = [0, 0];
    while (!signal.aborted) {
      let waitMs: number;
      try {
        this.#fill(await this.#standings.get());
        failures = 0;
        rounds += 1;
        const enough = this.#keepers.size >= this.#wanted;
        waitMs = enough ? timing.allRoutersMs : Math.min(timing.moreRoutersMs * rounds, timing.allRoutersMs);
      } catch (error) {
        failures += 1;
        this.#failed(error as ZitiError);
        waitMs = backoffMs(failures, timing);
      }
      await this.#pause.wait(waitMs, signal);
      if (!signal.aborted && this.#keepers.size < this.#wanted) await this.#standings.refreshRouters();
    }
  }

  get #wanted(): number {
    return Math.max(1, this.#options.maxTerminators ?? MAX_TERMINATORS);
  }

  /** Routers that could have a bind and have none; the best come first. */
  #waiting(routers: readonly EdgeRouterInfo[]): EdgeRouterInfo[] {
    const rests = (name: string): boolean => (this.#restUntil.get(name) ?? 0) > performance.now();
    const rank = ({ online, name }: EdgeRouterInfo): number => (online ? 0 : 2) + (rests(name) ? 1 : 0);
    return routers
      .filter(({ name, urls }) => urls.length > 0 && !this.#keepers.has(name))
      .sort((a, b) => rank(a) - rank(b));
  }

  #fill({ routers }: Standing): void {
    for (const { name } of this.#waiting(routers).slice(0, this.#wanted - this.#keepers.size)) {
      const keeper: Keeper = new Keeper(
        name,
        this.#keeperEnv(() => keeper),
      );
      this.#keepers.set(name, keeper);
      this.#spawn(this.#keep(keeper));
    }
    if (this.#keepers.size > 0) return;
    throw new ZitiError('no_edge_routers', `no edge router that service ${this.service} may be hosted on is on line`);
  }

  async #keep(keeper: Keeper): Promise<void> {
    await keeper.run(this.#closing.signal);
    this.#keepers.delete(keeper.router);
    this.#restUntil.set(keeper.router, performance.now() + this.#env.timing.retryMaxMs);
    this.#pause.wake();
  }

  #keeperEnv(keeper: () => Keeper): KeeperEnv {
    const { routers, timing, log } = this.#env;
    const { signal } = this.#closing;
    return {
      timing,
      stand: () => this.#standings.get(),
      channel: (router, { login }) => routers.bindChannel(router, login, signal),
      bind: (standing, channel) => this.#bind(standing, channel),
      onBound: () => {
        log.info({ service: this.service, router: keeper().router }, 'bound');
        this.#bound();
      },
      onEnd: (end, standing) => {
        log.info({ service: this.service, router: keeper().router, error: end.error.code }, 'not bound');
        this.#ended(end, standing);
      },
      othersWait: () => this.#waiting(this.#standings.held?.routers ?? []).some(({ online }) => online),
    };
  }

  #bind(standing: Standing, channel: EdgeChannel): Bind {
    const { session, name } = standing;
    const { instance } = this.#options;
    const bind = new Bind({
      channel,
      session,
      request: { ...this.#weight, listenerId: name.listenerId, publicKey: name.keys?.publicKey, instance },
      reception: this.#reception(standing),
      timing: this.#env.timing,
      onGone: (gone) => this.#binds.delete(gone),
    });
    this.#binds.add(bind);
    return bind;
  }

  #reception({ service, name }: Standing): Reception {
    const { sodium, timing } = this.#env;
    const { admit, closeMeans = 'end' } = this.#options;
    return {
      service: service.name,
      own: name.keys,
      sodium,
      timing,
      closeMeans,
      refusal: (caller) => (this.#closing.signal.aborted ? 'nobody listens here any more' : admit?.(caller)),
      accept: (connection) => this.#accept(connection),
    };
  }

  #accept(connection: ZitiConnection): void {
    if (this.#closing.signal.aborted) {
      connection.close('nobody listens here any more');
      return;
    }
    try {
      this.#options.onConnection(connection);
    } catch (error) {
      this.#env.log.warn({ service: this.service, error: (error as Error).message }, 'a connection was not taken');
      connection.destroy(error as Error);
    }
  }

  #bound(): void {
    this.#everBound = true;
    this.#lastError = undefined;
    this.#enter('bound', undefined);
    this.#onFirst?.resolve();
  }

  #ended({ error, remedy }: BindEnd, standing: Standing | undefined): void {
    if (standing && (remedy === 'session' || remedy === 'login')) this.#standings.drop(standing.session);
    if (standing && remedy === 'login') this.#env.controller.invalidate(standing.login);
    this.#failed(error);
  }

  #failed(error: ZitiError): void {
    if (this.#closing.signal.aborted) return;
    this.#lastError = error;
    const bound = [...this.#keepers.values()].some((keeper) => keeper.bound);
    if (this.#everBound && !bound) this.#enter('lost', error);
    if (!this.#everBound && FINAL.includes(error.code)) this.#onFirst?.reject(error);
  }

  #enter(phase: ListenerPhase, error: ZitiError | undefined): void {
    if (this.#phase === phase || this.#phase === 'closed') return;
    this.#phase = phase;
    this.#since = Date.now();
    this.#options.onPhase?.(phase, error);
  }
}

function withCause(error: ZitiError, last: ZitiError | undefined): ZitiError {
  if (error.code !== 'bind_timeout' || !last) return error;
  return new ZitiError(error.code, `${error.message}: ${last.message}`, { hint: last.hint, cause: last });
}
