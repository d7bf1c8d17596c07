// The gateway's share: listens on the overlay, lets in whom its gate lets in, counts sessions, and ends them.

import { createHash } from 'node:crypto';
import { quoteWord } from '@mcp-overlay/config';
import {
  type AccessOptions,
  type Grants,
  idsOf,
  type Listener,
  type Overlay,
  openGate,
  type PeerBook,
  type Principal,
  UNPROVEN,
  type Yielding,
} from '@mcp-overlay/overlay';
import { type AcceptedSession, Acceptor, type CloseReason, type LinkStats, within } from '@mcp-overlay/relay';
import { denialRecorder, recordClosed, recordOpened } from './audit/lives.ts';
import { ClientSession } from './session/session.ts';
import type { SessionSettings } from './session/settings.ts';
import { depart } from './succession/depart.ts';

/** How long open calls may still take when the gateway is told to end. */
const DRAIN_MS = 1500;
/** How long somebody waits to hear that a caller is out. */
const CUT_MS = 1000;
const DENIED = { code: 'peer_denied', reason: 'the operator of this share denied this caller' };

/** What of a share may change while it is hosted. */
export interface ShareRules {
  /** Of sessions that begin now. */
  readonly settings: SessionSettings;
  readonly grants: Grants;
  /** Principal ids that host this share besides us. */
  readonly hosts: readonly string[];
  /** Who is let in besides: rules give it something to do. */
  admits(principal: Principal): boolean;
  rolesOf(principal: Principal): readonly string[];
  /** Which tokens it takes. */
  readonly access: AccessOptions;
}

export interface ShareOptions {
  readonly overlay: Overlay;
  /** undefined: an ephemeral share with a random token. */
  readonly token: string | undefined;
  readonly by: string;
  readonly book: PeerBook;
  /** For the record. */
  readonly view?: string;
  /** As of now. */
  now(): ShareRules;
  /** Sessions open at other shares of the gateway. */
  elsewhere(): number;
  /** Another process has the share and agreed to lose it. */
  readonly takeOver?: boolean;
  /** Of the next session, unique in the gateway. */
  nextNumber(): number;
  onLost(error: Error): void;
}

export interface Share {
  readonly token: string;
  /** Since when and why callers cannot reach it; undefined: they can. */
  unreached(): { readonly since: number; readonly why: string } | undefined;
  sessions(): readonly { readonly session: ClientSession; readonly accepted: AcceptedSession<Principal> }[];
  /** Ends every session of this principal, and of tokens made from it, whatever it is doing. */
  cut(id: string): Promise<void>;
  /** A principal was given a role: sessions of its that could reach more backends now begin anew. */
  widen(id: string): Promise<void>;
  /** Judges everybody who is in, now: a token may have been revoked. */
  check(): Promise<void>;
  /** Ends some of those that have been idle for long, the longest first. */
  endIdle(): void;
  /** Takes no new sessions from here on; resolves when those that are here have gone, each after its open calls, or nothing
   *  more is done because the time is up. */
  leave(over: AbortSignal): Promise<void>;
  /** Agrees to lose the share to another process (overlay `Listener.yield`). */
  yield(): Yielding;
  /** The other process has it. */
  withdraw(): Promise<void>;
  /** Ends whoever would not be let in any more by what is in force now. Resolves with how many that were. */
  outgrow(): Promise<number>;
  /** These sessions begin anew: a little time for open calls, then they end as `away`. Resolves with how many that were. */
  renew(which: (session: ClientSession, principal: Principal) => boolean, reason: string): Promise<number>;
  /** Tells clients of what they can see by now, or cannot any more. One session at a time, so that no call is held up. */
  refresh(): Promise<void>;
  /** Likewise sessions that began under a configuration before this one, or could have more by now. */
  drain(before: number, reason: string): Promise<number>;
  /** No new sessions or requests, a little time for open ones, then every session ends as `away`. */
  close(reason?: CloseReason): Promise<void>;
}

export async function openShare(options: ShareOptions): Promise<Share> {
  const { overlay, by, book, now } = options;
  const { settings } = now();
  const sessions = new Map<ClientSession, AcceptedSession<Principal>>();
  let name: (token: string) => void = () => {};
  const gate = openGate({
    overlay,
    share: new Promise((resolve) => {
      name = resolve;
    }),
    get grants() {
      return now().grants;
    },
    get hosts() {
      return now().hosts;
    },
    get access() {
      return now().access;
    },
    book,
    admits: (principal) => now().admits(principal),
    remedy: (id) => (id === UNPROVEN ? 'share.grants: [unproven]' : `mcp-gateway peers allow ${quoteWord(id)}`),
    log: settings.log,
  });
  let left = false;
  /** Who comes back now finds the successor, and there the outcome in the ledger. */
  let withdrawn = false;
  let unreached: ReturnType<Share['unreached']>;
  const { audit } = settings;
  const denied = audit && denialRecorder(audit.log);
  const acceptor = new Acceptor<Principal>({
    by,
    log: settings.log,
    limits: settings.limits,
    judge: async (connection, proof) => {
      const judged = await gate.judge(connection, proof);
      if ('refused' in judged) denied?.({ ...judged, code: judged.refused.code });
      return judged;
    },
    prove: gate.prove,
    instance: settings.instance,
    once: settings.onceSeconds,
    ledger: settings.ledgerName,
    lostServers: 'told',
    elsewhere: options.elsewhere,
    turnAway: (returning) => (left ? LEFT : settings.overload?.turnAway(returning)),
    onSession: (accepted) => {
      const number = options.nextNumber();
      const session = new ClientSession(
        accepted.transport,
        {
          number,
          handOn: handOn(accepted),
          returning: accepted.returning,
          via: [...accepted.via, settings.instance],
          principal: accepted.principal,
          by: accepted.by,
        },
        now().settings,
      );
      sessions.set(session, accepted);
      // It may have been denied since it was judged; a link cannot be closed while it is being opened.
      if (gate.denied(accepted.principal.id)) setImmediate(() => void session.close(DENIED));
      // It was judged before: a connection of HTTP once for all its sessions, a link by rules that may be others by now.
      if (accepted.protocol === 'http' || session.generation > 1) {
        setImmediate(() => void endIfOutgrown(session, accepted.principal));
      }
      settings.log.info({ session: number, by: accepted.by, principal: accepted.principal.id }, 'session opened');
      const { info } = session;
      if (audit) recordOpened(audit.log, { ...info, roles: now().rolesOf(info.principal), view: options.view });
      const unwatch = gate.watch(accepted.principal, (why) => void session.close(why));
      void session.closed.then(() => {
        unwatch();
        sessions.delete(session);
        if (audit) recordClosed(audit.log, info, session.calls, session.ended?.code ?? 'done');
        settings.log.info({ session: session.info.number, calls: session.calls }, 'session closed');
      });
    },
    onReturn: (accepted, principal) => {
      const [session] = [...sessions].find(([, theirs]) => theirs === accepted) ?? [];
      if (!session) return;
      gate.renew(accepted.principal, principal);
      // What it may has changed with its token: a session of its own for that.
      if (!sameRights(accepted.principal, principal)) void session.close(CHANGED);
    },
  });
  const listenOptions = {
    takeOver: options.takeOver ?? false,
    onReach: (reached: boolean, error: Error | undefined) => {
      const why = error?.message ?? 'it is not known why';
      unreached = reached ? undefined : { since: unreached?.since ?? Date.now(), why };
    },
    onConnection: acceptor.accept,
    onLost: options.onLost,
    grants: now().grants.accounts,
  };
  const listener: Listener =
    options.token === undefined
      ? await overlay.listenEphemeral(listenOptions)
      : await overlay.listen(options.token, listenOptions);
  name(listener.share);
  /** Which backends a session has is settled when it begins; what it may do there is not. */
  const couldHaveMore = (session: ClientSession, { principal }: AcceptedSession<Principal>): boolean => {
    const has = new Set(session.backendStates().map(({ id }) => id));
    const { accessFor, backends } = now().settings;
    const access = accessFor(principal, session.info.number);
    return backends.some(({ backend }) => !has.has(backend.id) && access.reaches(backend.id));
  };
  /** Whether it was. */
  const endIfOutgrown = async (session: ClientSession, principal: Principal): Promise<boolean> => {
    const why = await gate.outgrown(principal);
    if (why) await within(CUT_MS, session.close(why));
    return why !== undefined;
  };
  const begunAnew = async (session: ClientSession, reason: CloseReason): Promise<void> => {
    await within(DRAIN_MS, session.drain());
    await session.close(reason);
  };
  const renew = async (which: typeof couldHaveMore, reason: string): Promise<number> => {
    const those = [...sessions].filter(([session, accepted]) => which(session, accepted));
    await Promise.all(those.map(([session]) => begunAnew(session, { code: 'away', reason })));
    return those.length;
  };
  const of = (id: string) => [...sessions].filter(([, { principal }]) => idsOf(principal.id).includes(id));
  return {
    token: listener.share,
    unreached: () => unreached,
    sessions: () => [...sessions].map(([session, accepted]) => ({ session, accepted })),
    cut: async (id) => {
      // Nothing of theirs is taken any more; servers that are slow to go need not be waited for.
      await within(CUT_MS, Promise.all(of(id).map(([session]) => session.close(DENIED))));
    },
    widen: async (id) => {
      const theirs = of(id).filter(([session, accepted]) => couldHaveMore(session, accepted));
      await Promise.all(theirs.map(([session]) => begunAnew(session, CHANGED)));
    },
    check: gate.check,
    endIdle: () => {
      const idle = [...sessions.keys()].filter(({ idleMs }) => idleMs > IDLE_MS).sort((a, b) => b.idleMs - a.idleMs);
      for (const session of idle.slice(0, IDLE_AT_ONCE)) void session.close(SHORT);
    },
    leave: async (over) => {
      left = true;
      // One that was being let in meanwhile goes too.
      while (sessions.size > 0 && !over.aborted) {
        const each = [...sessions].map(([session, { link }]) =>
          depart(session, {
            over,
            reason: MOVED,
            delivered: () => withdrawn || link === undefined || delivered(link.stats()),
          }),
        );
        await Promise.all(each);
      }
    },
    yield: () => listener.yield(),
    withdraw: () => {
      withdrawn = true;
      return listener.close();
    },
    outgrow: async () => {
      const all = [...sessions].map(([session, { principal }]) => endIfOutgrown(session, principal));
      return (await Promise.all(all)).filter((was) => was).length;
    },
    renew: (which, reason) => renew((session, { principal }) => which(session, principal), reason),
    refresh: async () => {
      for (const session of [...sessions.keys()]) {
        const { settings } = now();
        if (session.generation === settings.origin?.number) session.gain(settings);
        session.relist();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    drain: (before, reason) =>
      renew((session, accepted) => session.generation < before || couldHaveMore(session, accepted), reason),
    close: async (reason = { code: 'away', reason: 'the gateway is ending' }) => {
      await listener.close();
      await within(DRAIN_MS, Promise.all([...sessions.keys()].map((session) => session.drain())));
      await Promise.all([...sessions.keys()].map((session) => session.close(reason)));
      await acceptor.close(reason);
    },
  };
}

/** A peer that comes back finds a successor, or waits for one. */
const LEFT = { code: 'away', reason: 'this gateway is leaving; its successor takes new sessions', retryMs: 1000 };
/** Where memory is short: idle for so long, and so many at once. */
const IDLE_MS = 60_000;
const IDLE_AT_ONCE = 16;
const SHORT = { code: 'away', reason: 'the gateway is overloaded and ends idle sessions' };
const MOVED = { code: 'away', reason: 'the gateway is leaving' };

/** A link that is down, and an agent without its last answers: it may come back for them. */
function delivered({ state, sent, acked }: LinkStats): boolean {
  return state === 'up' || state === 'closed' || acked === sent;
}

/** The peer opens a new session at once. */
const CHANGED = { code: 'away', reason: 'the rights of this caller have changed' };

function sameRights(a: Principal, b: Principal): boolean {
  const rights = ({ groups, roles, restrictions }: Principal): string => JSON.stringify([groups, roles, restrictions]);
  return rights(a) === rights(b);
}

/** Each hop passes a hash, so that nobody can name another's session at the next one. */
function handOn({ principal, session }: AcceptedSession<Principal>): string {
  return createHash('sha256').update(`${principal.id}\n${session}`).digest('hex').slice(0, 32);
}
