// An identity on its network: dial services, host services, see how it goes. Everything that is opened through a context ends
// with it. Nothing is asked of the network before the first use.

import { setTimeout as wait } from 'node:timers/promises';
import { openChannel } from './channel/open-channel.ts';
import { proxyFromEnvironment } from './channel/proxy.ts';
import { createController } from './controller/controller.ts';
import type { LoginChoice } from './controller/logins.ts';
import type { SessionCertificate } from './controller/session-certificate.ts';
import type { Controller, ControllerState, Service } from './controller/types.ts';
import { loadSodium, type Sodium, type SodiumOptions } from './crypto/sodium.ts';
import type { ZitiConnection } from './edge/connection.ts';
import { type DialOptions, dial } from './edge/dial.ts';
import type { ChannelOpener, RouterState } from './edge/edge-router.ts';
import { EdgeRouters } from './edge/edge-routers.ts';
import { type ListenerState, type ListenOptions, ZitiListener } from './edge/listener.ts';
import { TIMING, type Timing } from './edge/timing.ts';
import { ZitiError } from './errors.ts';
import { loadIdentity, type ZitiIdentity } from './identity.ts';
import { SILENT, type ZitiLog } from './log.ts';

export interface ZitiContextOptions {
  /** Default 'auto'. */
  readonly login?: LoginChoice;
  readonly sodium?: SodiumOptions;
  readonly timing?: Partial<Timing>;
  /** A dial of this service will come at once: the way there is begun while the rest is loaded. */
  readonly dialSoon?: DialSoon | undefined;
  readonly log?: ZitiLog;
  /** For tests: instead of the one that the identity names. */
  readonly controller?: Controller;
  /** For tests: instead of TLS to edge routers. */
  readonly open?: ChannelOpener;
}

export interface DialSoon {
  readonly service: string;
  /** When the service can be seen. Its failure is its owner's. Default: at once. */
  readonly after?: Promise<unknown> | undefined;
}

/** How it goes, for people. */
export interface ZitiStatus {
  readonly identity: string | undefined;
  readonly controllers: readonly ControllerState[];
  readonly routers: readonly RouterState[];
  readonly listeners: readonly ListenerState[];
  /** Open, both ways. */
  readonly connections: number;
}

/** For what was begun, where it turns out to be in vain. */
const LANDING_MS = 1000;

interface Parts {
  readonly identity: ZitiIdentity;
  readonly controller: Controller;
  readonly routers: EdgeRouters;
  readonly timing: Timing;
  readonly log: ZitiLog;
}

export class ZitiContext implements AsyncDisposable {
  readonly identity: ZitiIdentity;
  readonly #controller: Controller;
  readonly #routers: EdgeRouters;
  readonly #sodium: Sodium;
  readonly #timing: Timing;
  readonly #log: ZitiLog;
  readonly #listeners = new Set<ZitiListener>();
  readonly #stopListening: () => void;
  #closed: Promise<void> | undefined;

  private constructor({ identity, controller, routers, timing, log }: Parts, sodium: Sodium) {
    this.identity = identity;
    this.#sodium = sodium;
    this.#timing = timing;
    this.#log = log;
    this.#controller = controller;
    this.#routers = routers;
    this.#stopListening = controller.onRenewed((session) => routers.renewed(session));
  }

  /** `identity`: a parsed one, or the name of its file. Rejects with `identity_…`, `proxy_invalid`,
   * `crypto_unavailable`. */
  static async open(identity: ZitiIdentity | string, options: ZitiContextOptions = {}): Promise<ZitiContext> {
    const parts = partsOf(typeof identity === 'string' ? await loadIdentity(identity) : identity, options);
    const begun = options.dialSoon && goAhead(options.dialSoon, parts);
    try {
      return new ZitiContext(parts, await loadSodium(options.sodium));
    } catch (error) {
      // A login on its way would be one that nobody ends.
      await Promise.race([begun, wait(LANDING_MS, undefined, { ref: false })]);
      await parts.routers.close(contextClosed());
      await parts.controller.close();
      throw error;
    }
  }

  /** Logs in if that is still to be done: for who knows that a dial will come soon. */
  async login(signal?: AbortSignal): Promise<void> {
    this.#requireOpen();
    await this.#controller.apiSession(signal);
  }

  /** See dial.ts for what it rejects with. */
  async dial(service: string, options: DialOptions = {}): Promise<ZitiConnection> {
    this.#requireOpen();
    return dial(service, options, {
      controller: this.#controller,
      routers: this.#routers,
      sodium: this.#sodium,
      timing: this.#timing,
    });
  }

  /** Resolves when callers can come; from then on the listener comes back by itself whatever happens to the network. */
  async listen(service: string, options: ListenOptions): Promise<ZitiListener> {
    this.#requireOpen();
    const listener = new ZitiListener(service, options, {
      controller: this.#controller,
      routers: this.#routers,
      sodium: this.#sodium,
      timing: this.#timing,
      log: this.#log,
      onClosed: (closed) => this.#listeners.delete(closed),
    });
    this.#listeners.add(listener);
    await listener.start();
    return listener;
  }

  /** All services that this identity may see, fresh. */
  async services(signal?: AbortSignal): Promise<Service[]> {
    this.#requireOpen();
    return this.#controller.services(signal);
  }

  /** A certificate of this login and its key: proves to whoever trusts the network's CA which identity we are. */
  async sessionCertificate(signal?: AbortSignal): Promise<SessionCertificate> {
    this.#requireOpen();
    return this.#controller.sessionCertificate(signal);
  }

  status(): ZitiStatus {
    const routers = this.#routers.states();
    return {
      identity: this.identity.id ?? undefined,
      controllers: this.#controller.states(),
      routers,
      listeners: [...this.#listeners].map((listener) => listener.state()),
      connections: routers.reduce((total, router) => total + router.connections, 0),
    };
  }

  /** Unbinds, ends connections and channels, logs out. Idempotent; resolves when all of it is done. */
  close(): Promise<void> {
    this.#closed ??= this.#shut();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #shut(): Promise<void> {
    this.#stopListening();
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
    await this.#routers.close(contextClosed());
    await this.#controller.close();
  }

  #requireOpen(): void {
    if (this.#closed) throw contextClosed();
  }
}

function partsOf(identity: ZitiIdentity, options: ZitiContextOptions): Parts {
  const { log = SILENT, login = 'auto' } = options;
  const controller = options.controller ?? createController(identity, { login, log });
  const timing = { ...TIMING, ...options.timing };
  const routers = new EdgeRouters({
    open: options.open ?? opener(identity),
    timing,
    log,
    onDistrust: (session) => controller.invalidate(session),
  });
  return { identity, controller, routers, timing, log };
}

/** Login, then a channel beside the service's session. What is wrong with them the dial will meet, and say. Ends with routers
 * and controller. */
/** Resolves when nothing of it is on its way any more. */
async function goAhead({ service, after }: DialSoon, { controller, routers, log }: Parts): Promise<void> {
  const session = async (): Promise<void> => {
    await Promise.all([controller.apiSession(), after]);
    await controller.dialSession(await controller.service(service));
  };
  const channel = async (): Promise<void> => {
    const login = await controller.apiSession();
    await routers.prepare(await controller.ownRouters(), login);
  };
  const failed = (error: Error): void => log.debug({ error: error.message }, 'a dial was not prepared');
  await Promise.all([session().catch(failed), channel().catch(failed)]);
}

function contextClosed(): ZitiError {
  return new ZitiError('context_closed', 'this program has closed its connection to the network');
}

function opener(identity: ZitiIdentity): ChannelOpener {
  const proxy = proxyFromEnvironment();
  return ({ url, session, timeoutMs, signal }) =>
    openChannel({ url, identity, token: session.token, timeoutMs, signal, proxy });
}
