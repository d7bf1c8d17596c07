// All edge routers of one network as this process knows them: the same name is the same router, whichever service named it.
// Dials go to the open channel with the shortest way; where there is none, to whoever answers first.

import type { ApiSession, EdgeRouterInfo } from '../controller/types.ts';
import { ZitiError } from '../errors.ts';
import { withSignal } from './deadline.ts';
import { Doubts } from './doubts.ts';
import type { EdgeChannel } from './edge-channel.ts';
import { EdgeRouter, type EdgeRouterEnv, type RouterState } from './edge-router.ts';

/** Routers that are tried at the same time when we have a channel to none. */
const RACE = 4;

export interface EdgeRoutersEnv extends Omit<EdgeRouterEnv, 'onDoubt'> {}

export class EdgeRouters {
  readonly doubts: Doubts;
  readonly #env: EdgeRouterEnv;
  readonly #routers = new Map<string, EdgeRouter>();
  /** When we last looked for a better way than the one we have. */
  readonly #explored = new Map<EdgeRouter, number>();
  #closed: ZitiError | undefined;

  constructor(env: EdgeRoutersEnv) {
    this.doubts = new Doubts(env.timing.doubtMs);
    const onDistrust = (session: ApiSession): void => {
      // A login that another router talks to is good: that one channel ended for another reason.
      if (![...this.#routers.values()].some((router) => router.trusts(session))) env.onDistrust(session);
    };
    this.#env = { ...env, onDistrust, onDoubt: ({ id }) => this.doubts.raise(id) };
  }

  /** For a dial: `avoid` names routers that just said no; they come last. Rejects when no router can be reached. */
  async dialChannel(
    infos: readonly EdgeRouterInfo[],
    session: ApiSession,
    signal: AbortSignal,
    avoid: ReadonlySet<string> = new Set(),
  ): Promise<EdgeChannel> {
    const routers = this.#usable(infos);
    const wanted = routers.filter((router) => !avoid.has(router.name));
    const nearest = nearestOf(wanted, session);
    if (nearest) {
      this.#explore(wanted, session, signal);
      // An open channel is at hand, so nothing is waited for.
      return nearest.channel('dial', session, signal);
    }
    const rested = [...wanted].sort((a, b) => Number(a.resting) - Number(b.resting));
    const avoided = routers.filter((router) => avoid.has(router.name));
    return this.#firstOf([...rested, ...avoided], session, signal);
  }

  /** For dials that come soon: opens channels where the routers are so few that one of them will be used. Resolves with the
   * first one. */
  async prepare(infos: readonly EdgeRouterInfo[], session: ApiSession): Promise<void> {
    const routers = this.#usable(infos);
    if (routers.length === 0 || routers.length > RACE) return;
    await Promise.any(routers.map((router) => router.channel('dial', session)));
  }

  /** For the binds of all listeners at that router. */
  bindChannel(info: EdgeRouterInfo, session: ApiSession, signal: AbortSignal): Promise<EdgeChannel> {
    return withSignal(this.#get(info).channel('bind', session, signal), signal);
  }

  /** After a refresh the channels learn the new token; after a new login they make way for new ones. */
  renewed(session: ApiSession): void {
    for (const router of this.#routers.values()) router.renew(session);
  }

  states(): RouterState[] {
    return [...this.#routers.values()].map((router) => router.state());
  }

  /** Connections and binds end with `why`. */
  async close(why: ZitiError): Promise<void> {
    this.#closed = why;
    await Promise.all([...this.#routers.values()].map((router) => router.close(why)));
  }

  #get(info: EdgeRouterInfo): EdgeRouter {
    if (this.#closed) throw this.#closed;
    let router = this.#routers.get(info.name);
    if (!router) {
      router = new EdgeRouter(info.name, this.#env);
      this.#routers.set(info.name, router);
    }
    router.update(info);
    return router;
  }

  /** On line before off line; what has no address cannot be tried. */
  #usable(infos: readonly EdgeRouterInfo[]): EdgeRouter[] {
    const known = infos.filter((info) => info.urls.length > 0);
    const online = known.filter((info) => info.online);
    return (online.length > 0 ? online : known).map((info) => this.#get(info));
  }

  #explore(routers: readonly EdgeRouter[], session: ApiSession, signal: AbortSignal): void {
    const now = performance.now();
    for (const router of routers) {
      const last = this.#explored.get(router) ?? Number.NEGATIVE_INFINITY;
      if (router.dialRtt(session) !== undefined || router.resting || now - last < this.#env.timing.exploreMs) continue;
      this.#explored.set(router, now);
      router.channel('dial', session, signal).catch(() => {});
    }
  }

  async #firstOf(routers: readonly EdgeRouter[], session: ApiSession, signal: AbortSignal): Promise<EdgeChannel> {
    let failure = new ZitiError('no_edge_routers', 'no edge router that this service may be used on is on line');
    for (let at = 0; at < routers.length; at += RACE) {
      const racing = routers.slice(at, at + RACE).map((router) => router.channel('dial', session, signal));
      try {
        return await withSignal(Promise.any(racing), signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = (error as AggregateError).errors[0] as ZitiError;
      }
    }
    throw failure;
  }
}

function nearestOf(routers: readonly EdgeRouter[], session: ApiSession): EdgeRouter | undefined {
  let nearest: EdgeRouter | undefined;
  let best = Number.POSITIVE_INFINITY;
  for (const router of routers) {
    const rtt = router.dialRtt(session);
    if (rtt === undefined || rtt >= best) continue;
    nearest = router;
    best = rtt;
  }
  return nearest;
}
