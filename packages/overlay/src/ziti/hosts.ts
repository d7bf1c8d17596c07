// The shares that one overlay object hosts on an OpenZiti network: lock, make what is to be made, bind; and at the end unbind,
// remove, unlock. A share that goes with its host is removed only when its last connection is over (or the object closes):
// with the service OpenZiti would cut them.

import { OverlayError } from '../errors.ts';
import type { StateFolder } from '../home.ts';
import type { BoundSocket } from '../local/bind-socket.ts';
import { goesWithHost } from '../local/refusals.ts';
import type { OverlayLog } from '../log.ts';
import type { Connection, Listener, ListenOptions, Yielding } from '../overlay.ts';
import { lockShare, type ShareKey } from './host-lock.ts';
import type { ZitiNetwork } from './network.ts';

export interface HostedShare {
  readonly key: ShareKey;
  /** Called with the lock held. What it made is undone by `unmake` if hosting fails. */
  readonly make?: () => Promise<void>;
  /** Never rejects. */
  readonly unmake?: () => Promise<void>;
  /** Asked now and then while callers cannot reach us: why that will not change any more. */
  readonly goneBecause?: () => Promise<OverlayError | undefined>;
}

export interface HostsOptions {
  readonly network: ZitiNetwork;
  readonly folder: () => Promise<StateFolder>;
  readonly log: OverlayLog;
  /** Between two questions whether a share that cannot be reached is gone. Default 15,000. */
  readonly askMs?: number;
}

const ASK_MS = 15_000;

export class Hosts {
  readonly #options: HostsOptions;
  readonly #hosts = new Set<Host>();
  #closed = false;

  constructor(options: HostsOptions) {
    this.#options = options;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws `overlay_unavailable`. */
  requireOpen(): void {
    if (this.#closed) throw new OverlayError('overlay_unavailable', 'this overlay was closed');
  }

  /** Rejects `share_in_use`, and what making or hosting it says. */
  async host(share: HostedShare, options: ListenOptions): Promise<Listener> {
    this.requireOpen();
    const lock = await lockShare(await this.#options.folder(), share.key, options.takeOver);
    const host = new Host(share, lock, options, this.#options, () => this.#hosts.delete(host));
    this.#hosts.add(host);
    try {
      await host.start();
      // Meanwhile `close` may have come and gone.
      this.requireOpen();
    } catch (error) {
      await host.close();
      await host.release();
      throw error;
    }
    return { share: share.key.token, yield: () => host.yield(), close: () => host.close() };
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      [...this.#hosts].map(async (host) => {
        await host.close();
        await host.release();
      }),
    );
  }
}

class Host {
  readonly #share: HostedShare;
  readonly #lock: BoundSocket;
  readonly #options: ListenOptions;
  readonly #env: HostsOptions;
  readonly #onReleased: () => void;
  readonly #connections = new Set<Connection>();
  readonly #stopping = new AbortController();
  #starting: Promise<void> | undefined;
  #bound: { close(): Promise<void> } | undefined;
  #asking: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #released: Promise<void> | undefined;

  constructor(
    share: HostedShare,
    lock: BoundSocket,
    options: ListenOptions,
    env: HostsOptions,
    onReleased: () => void,
  ) {
    this.#share = share;
    this.#lock = lock;
    this.#options = options;
    this.#env = env;
    this.#onReleased = onReleased;
  }

  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  /** The network takes several hosts; only the lock has to change hands. */
  yield(): Yielding {
    if (this.#share.unmake !== undefined) throw goesWithHost(this.#share.key.token);
    return this.#lock.yield();
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  /** Lets others host it, and removes what goes with its host. */
  release(): Promise<void> {
    this.#released ??= this.#undo();
    return this.#released;
  }

  async #start(): Promise<void> {
    const { signal } = this.#stopping;
    await this.#share.make?.();
    this.#bound = await this.#env.network.host(this.#share.key.token, {
      onConnection: (connection) => this.#accept(connection),
      onReach: (reached, error) => this.#onReach(reached, error),
      signal,
    });
  }

  async #stop(): Promise<void> {
    this.#stopAsking();
    this.#stopping.abort();
    // What is being made now is there to be undone then.
    await this.#starting?.catch(() => {});
    await this.#bound?.close();
    if (this.#share.unmake === undefined || this.#connections.size === 0) await this.release();
  }

  async #undo(): Promise<void> {
    await this.#share.unmake?.();
    await this.#lock.close();
    this.#onReleased();
  }

  #accept(connection: Connection): void {
    this.#connections.add(connection);
    connection.once('close', () => {
      this.#connections.delete(connection);
      if (this.#closing && this.#connections.size === 0) void this.#closing.then(() => this.release());
    });
    this.#options.onConnection(connection);
  }

  #onReach(reached: boolean, error: Error | undefined): void {
    const { log, askMs = ASK_MS } = this.#env;
    const share = this.#share.key.token;
    this.#stopAsking();
    this.#options.onReach?.(reached, error);
    if (reached) {
      log.info({ share }, 'share can be reached');
      return;
    }
    log.warn({ share, error: error?.message }, 'share cannot be reached');
    if (this.#share.goneBecause === undefined || this.#closing) return;
    void this.#ask();
    this.#asking = setInterval(() => void this.#ask(), askMs).unref();
  }

  async #ask(): Promise<void> {
    const gone = await this.#share.goneBecause?.().catch(() => undefined);
    if (gone === undefined || this.#closing) return;
    await this.close();
    this.#options.onLost?.(gone);
  }

  #stopAsking(): void {
    clearInterval(this.#asking);
    this.#asking = undefined;
  }
}
