// One edge router and our channels to it: one that carries binds, and a few that carry dials, so that callers and called do not
// hold each other up. Channels are opened when somebody needs one, by everybody who needs it at once only once, and given up
// when idle, lost, or made useless by a new login.

import type { Channel, CloseReason } from '../channel/channel.ts';
import { Headers } from '../channel/headers.ts';
import type { ApiSession, EdgeRouterInfo } from '../controller/types.ts';
import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { ZitiLog } from '../log.ts';
import { type ChannelUse, EdgeChannel } from './edge-channel.ts';
import { EDGE_TYPES } from './ids.ts';
import { backoffMs } from './retry.ts';
import type { Timing } from './timing.ts';

export type ChannelOpener = (options: {
  readonly url: string;
  readonly session: ApiSession;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}) => Promise<Channel>;

export interface EdgeRouterEnv {
  readonly open: ChannelOpener;
  readonly timing: Timing;
  readonly log: ZitiLog;
  /** A channel was lost: perhaps the login is, too. */
  readonly onDoubt: (session: ApiSession) => void;
  /** A router does not accept this login, though nothing says so but the end of the channel. */
  readonly onDistrust: (session: ApiSession) => void;
}

/** For status reports. */
export interface RouterState {
  readonly name: string;
  readonly state: 'up' | 'connecting' | 'down' | 'idle';
  /** Of the channels that are open. */
  readonly url: string | undefined;
  readonly version: string | undefined;
  readonly rttMs: number | undefined;
  readonly channels: { readonly dial: number; readonly bind: number };
  readonly connections: number;
  readonly binds: number;
  readonly lastError: string | undefined;
}

/** With so many connections on each channel another one is opened. */
const BUSY_CONNECTIONS = 32;

export class EdgeRouter {
  readonly name: string;
  readonly #env: EdgeRouterEnv;
  readonly #channels = new Set<EdgeChannel>();
  readonly #flights = new Map<string, Promise<EdgeChannel>>();
  readonly #closing = new AbortController();
  #urls: readonly string[] = [];
  /** The last one that we were told of. */
  #login: ApiSession | undefined;
  #failures = 0;
  #restUntil = 0;
  #lastError: string | undefined;

  constructor(name: string, env: EdgeRouterEnv) {
    this.name = name;
    this.#env = env;
  }

  /** What a controller says now of where it is. */
  update(info: EdgeRouterInfo): void {
    if (info.urls.length > 0) this.#urls = info.urls;
  }

  /** Failed a moment ago: others first. */
  get resting(): boolean {
    return performance.now() < this.#restUntil;
  }

  /** The round trip of a channel that could carry a dial now; undefined: there is none. */
  dialRtt(session: ApiSession): number | undefined {
    const channel = this.#best('dial', session);
    return channel && (channel.channel.rttMs ?? Number.MAX_VALUE);
  }

  /** A channel of this login that can take something new. */
  async channel(use: ChannelUse, session: ApiSession, signal?: AbortSignal): Promise<EdgeChannel> {
    signal?.throwIfAborted();
    const best = this.#best(use, session);
    if (best && use === 'dial' && this.#isBusy(best) && this.#count('dial') < LIMITS.dialChannelsPerRouter) {
      this.#open(use, session).catch(() => {});
    }
    return best ?? this.#open(use, session);
  }

  /** A new token of the same login: every channel must know it before the old one expires. Other logins' channels end with
   * what they carry. */
  renew(session: ApiSession): void {
    this.#login = session;
    for (const channel of this.#channels) this.#renewOn(channel, session);
  }

  #renewOn(channel: EdgeChannel, session: ApiSession): void {
    if (channel.session.id !== session.id) channel.retire();
    else if (channel.session.token === session.token) return;
    else if (session.kind === 'oidc') void this.#updateToken(channel, session);
    else channel.session = session;
  }

  state(): RouterState {
    const open = [...this.#channels];
    const some = open.find((channel) => channel.channel.rttMs !== undefined) ?? open[0];
    const version = some?.channel.routerVersion;
    const state = open.length > 0 ? 'up' : this.#flights.size > 0 ? 'connecting' : this.#failures > 0 ? 'down' : 'idle';
    return {
      name: this.name,
      state,
      url: some?.channel.url,
      version: version ? `${version.major}.${version.minor}.${version.patch}` : undefined,
      rttMs: some?.channel.rttMs,
      channels: { dial: this.#count('dial'), bind: this.#count('bind') },
      connections: sum(open, (channel) => channel.connections),
      binds: sum(open, (channel) => channel.binds),
      lastError: this.#lastError,
    };
  }

  /** Whether a router talks to this login. */
  trusts(session: ApiSession): boolean {
    return [...this.#channels].some(({ session: { id }, channel }) => id === session.id && channel.rttMs !== undefined);
  }

  /** Ends all channels; what is queued leaves first. */
  async close(why: ZitiError): Promise<void> {
    this.#closing.abort(why);
    await Promise.allSettled(this.#flights.values());
    await Promise.all([...this.#channels].map((channel) => channel.close(why)));
  }

  #best(use: ChannelUse, session: ApiSession): EdgeChannel | undefined {
    let best: EdgeChannel | undefined;
    for (const channel of this.#channels) {
      if (channel.use !== use || channel.session.id !== session.id || !channel.usable) continue;
      if (use === 'dial' && channel.gate.paused && this.#count('dial') < LIMITS.dialChannelsPerRouter) continue;
      if (!best || load(channel) < load(best)) best = channel;
    }
    return best;
  }

  #isBusy(channel: EdgeChannel): boolean {
    return channel.connections >= BUSY_CONNECTIONS || !channel.channel.writable;
  }

  #count(use: ChannelUse): number {
    return sum([...this.#channels], (channel) => (channel.use === use && !channel.over ? 1 : 0));
  }

  #open(use: ChannelUse, session: ApiSession): Promise<EdgeChannel> {
    const key = `${use} ${session.id}`;
    let flight = this.#flights.get(key);
    if (!flight) {
      flight = this.#tryUrls(use, session).finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    return flight;
  }

  async #tryUrls(use: ChannelUse, session: ApiSession): Promise<EdgeChannel> {
    const { open, timing, log } = this.#env;
    const signal = this.#closing.signal;
    const login = this.#login;
    let failure = new ZitiError('router_unreachable', `router ${this.name} has no address that we can use`);
    for (const url of inOrder(this.#urls)) {
      try {
        signal.throwIfAborted();
        const channel = await open({ url, session, timeoutMs: timing.openMs, signal });
        this.#failures = 0;
        this.#restUntil = 0;
        this.#lastError = undefined;
        log.debug({ router: this.name, url, use }, 'channel opened');
        const edge = this.#adopt(channel, use, session);
        // The login may have gone on while the channel was being opened.
        if (this.#login && this.#login !== login) this.#renewOn(edge, this.#login);
        return edge;
      } catch (error) {
        failure = error as ZitiError;
      }
    }
    this.#failures += 1;
    this.#restUntil = performance.now() + backoffMs(this.#failures, timing);
    this.#lastError = failure.message;
    log.debug({ router: this.name, use, error: failure.code }, 'channel not opened');
    throw failure;
  }

  #adopt(channel: Channel, use: ChannelUse, session: ApiSession): EdgeChannel {
    const edge = new EdgeChannel({ channel, use, router: this.name, session, timing: this.#env.timing });
    this.#channels.add(edge);
    void channel.closed.then((reason) => this.#onClosed(edge, reason));
    return edge;
  }

  #onClosed(channel: EdgeChannel, reason: CloseReason): void {
    this.#channels.delete(channel);
    const { log, timing, onDoubt, onDistrust } = this.#env;
    if (reason.by === 'us') return;
    onDoubt(channel.session);
    log.info({ router: this.name, use: channel.use, error: reason.error.code }, 'channel lost');
    this.#lastError = reason.error.message;
    // A token that is not accepted shows as a Hello that is answered and a channel that is closed, up to 5 s later.
    if (reason.by === 'router' && reason.received === 0 && reason.ageMs < timing.distrustMs)
      onDistrust(channel.session);
  }

  async #updateToken(channel: EdgeChannel, session: ApiSession): Promise<void> {
    const { timing, log } = this.#env;
    try {
      const reply = await channel.channel.request(EDGE_TYPES.updateToken, new Headers(), Buffer.from(session.token), {
        timeoutMs: timing.updateTokenMs,
      });
      if (reply.type === EDGE_TYPES.updateTokenSuccess) {
        channel.session = session;
        return;
      }
      log.warn({ router: this.name, use: channel.use }, 'router refused the new token');
    } catch (error) {
      log.warn(
        { router: this.name, use: channel.use, error: (error as ZitiError).code },
        'router did not take the new token',
      );
    }
    channel.retire();
  }
}

/** TLS goes without the detour over HTTP. */
function inOrder(urls: readonly string[]): string[] {
  const direct = (url: string): boolean => url.startsWith('tls:');
  return [...urls.filter(direct), ...urls.filter((url) => !direct(url))];
}

function load(channel: EdgeChannel): number {
  return channel.connections + (channel.channel.writable ? 0 : BUSY_CONNECTIONS) + (channel.gate.paused ? 1e6 : 0);
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
