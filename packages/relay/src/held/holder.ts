// The sessions of a share that outlive their links, found by whom they belong to: principal and session together. Whoever
// names a session of somebody else finds nothing, and of those of whom nothing is proven two need not be the same.

import { createHash } from 'node:crypto';
import type { Clock } from '../link/clock.ts';
import type { HostLink, LinkInfo } from '../link/hosted-link.ts';
import { NOBODY_IN_PARTICULAR, type Peer } from '../link/judgement.ts';
import { HeldSession } from './held-session.ts';

/** A ping and its answer; the dialer waits for 10 s. */
const DOUBT_MS = 2000;

export interface HolderOptions<P extends Peer> {
  readonly clock: Clock;
  /** How long a session waits for a client that went away. */
  readonly awayMs: number;
  onSession(session: HeldSession, info: LinkInfo<P>): void;
  /** It goes on over another link, of the same principal, newly judged. */
  onReturn(session: HeldSession, principal: P): void;
}

export class Holder<P extends Peer> {
  readonly #options: HolderOptions<P>;
  /** The latest last. Several at once: a client may open two links for one session. */
  readonly #sessions = new Map<string, HeldSession[]>();
  readonly #byLink = new WeakMap<HostLink, HeldSession>();
  #closed = false;

  constructor(options: HolderOptions<P>) {
    this.#options = options;
  }

  /** The session that goes on over this link. */
  of(link: HostLink): HeldSession | undefined {
    return this.#byLink.get(link);
  }

  /** Sessions that have no link, not even a broken one. */
  get waiting(): number {
    return this.#unlinked().length;
  }

  /** A link that seems to live may have lost its client in silence. A client that is there keeps it. */
  doubt(info: LinkInfo<P>): Promise<void> | undefined {
    const links = this.#of(info).flatMap(({ link }) => (link && !link.broken ? [link] : []));
    if (links.length === 0) return undefined;
    return Promise.all(links.map((link) => link.doubt(DOUBT_MS))).then(() => {});
  }

  /** Whether a session waits for such a link. */
  awaits(info: LinkInfo<P>): boolean {
    return this.#find(info) !== undefined;
  }

  /** Joins it with its session. true: that was here already. */
  take(link: HostLink, info: LinkInfo<P>): boolean {
    const session = this.#find(info);
    if (session === undefined) {
      this.#open(link, info, false);
      return false;
    }
    this.#byLink.set(link, session);
    session.take(link);
    // A link that is just being opened cannot be closed.
    queueMicrotask(() => this.#options.onReturn(session, info.principal));
    return true;
  }

  /** The one that has been without a link for longest goes. false: there is none. */
  makeRoom(): boolean {
    const [oldest] = this.#unlinked();
    void oldest?.close({ code: 'link_expired', reason: 'its client was away and its room was needed' });
    return oldest !== undefined;
  }

  /** From here on nothing is held: sessions end with their links. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#unlinked().map((session) => session.close()));
  }

  #open(link: HostLink, info: LinkInfo<P>, started: boolean): HeldSession {
    const { clock, awayMs, onSession } = this.#options;
    const key = keyOf(info);
    const session: HeldSession = new HeldSession(link, {
      clock,
      awayMs,
      started,
      returns: () => key !== undefined && !this.#closed,
      anew: (old) => this.#open(old, info, true),
      onOver: () => this.#forget(key, session),
    });
    this.#byLink.set(link, session);
    if (key !== undefined) this.#sessions.set(key, [...(this.#sessions.get(key) ?? []), session]);
    onSession(session, info);
    return session;
  }

  #find(info: LinkInfo<P>): HeldSession | undefined {
    return this.#of(info).findLast(({ claimable }) => claimable);
  }

  #of(info: LinkInfo<P>): readonly HeldSession[] {
    const key = this.#closed ? undefined : keyOf(info);
    return (key === undefined ? undefined : this.#sessions.get(key)) ?? [];
  }

  #forget(key: string | undefined, session: HeldSession): void {
    if (key === undefined) return;
    const others = this.#sessions.get(key)?.filter((other) => other !== session) ?? [];
    if (others.length > 0) this.#sessions.set(key, others);
    else this.#sessions.delete(key);
  }

  #unlinked(): HeldSession[] {
    return [...this.#sessions.values()].flat().filter(({ link, claimable }) => link === undefined && claimable);
  }
}

/** A hash, so that how long it takes to look for a session says nothing of it. */
function keyOf({ principal, session }: LinkInfo): string | undefined {
  if (principal.id === NOBODY_IN_PARTICULAR) return undefined;
  return createHash('sha256').update(`${principal.id}\n${session}`).digest('base64');
}
