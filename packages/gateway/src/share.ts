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
import { type AcceptedSession, Acceptor, type LinkStats, within } from '@mcp-overlay/relay';
import { denialRecorder, recordClosed, recordOpened } from './audit/lives.ts';
import { ClientSession } from './session/session.ts';
import type { SessionSettings } from './session/settings.ts';
import { depart } from './succession/depart.ts';

/** How long open calls may still take when the gateway is told to end. */
const DRAIN_MS = 1500;
/** How long somebody waits to hear that a caller is out. */
const CUT_MS = 1000;
const DENIED = { code: 'peer_denied', reason: 'the operator of this share denied this caller' };

export interface ShareOptions {
  readonly overlay: Overlay;
  /** undefined: an ephemeral share with a random token. */
  readonly token: string | undefined;
  readonly settings: SessionSettings;
  readonly by: string;
  readonly grants: Grants;
  /** Principal ids that host this share besides us. */
  readonly hosts: readonly string[];
  readonly book: PeerBook;
  /** Who is let in besides: rules give it something to do. */
  admits(principal: Principal): boolean;
  /** For the record. */
  readonly view?: string;
  rolesOf(principal: Principal): readonly string[];
  readonly access: AccessOptions;
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
  /** No new sessions or requests, a little time for open ones, then every session ends as `away`. */
  close(): Promise<void>;
}

export async function openShare(options: ShareOptions): Promise<Share> {
  const { overlay, settings, by, grants, hosts, book, access } = options;
  const sessions = new Map<ClientSession, AcceptedSession<Principal>>();
  let name: (token: string) => void = () => {};
  const gate = openGate({
    overlay,
    share: new Promise((resolve) => {
      name = resolve;
    }),
    grants,
    hosts,
    book,
    admits: options.admits,
    access,
    remedy: (id) => (id === UNPROVEN ? 'share.grants: [unproven]' : `mcp-gateway peers allow ${quoteWord(id)}`),
    log: settings.log,
  });
  let left = false;
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
    elsewhere: options.elsewhere,
    turnAway: () => (left ? LEFT : settings.overload?.turnAway()),
    onSession: (accepted) => {
      const number = options.nextNumber();
      const session = new ClientSession(
        accepted.transport,
        {
          number,
          handOn: handOn(accepted),
          via: [...accepted.via, settings.instance],
          principal: accepted.principal,
          by: accepted.by,
        },
        settings,
      );
      sessions.set(session, accepted);
      // It may have been denied since it was judged; a link cannot be closed while it is being opened.
      if (gate.denied(accepted.principal.id)) setImmediate(() => void session.close(DENIED));
      settings.log.info({ session: number, by: accepted.by, principal: accepted.principal.id }, 'session opened');
      const { info } = session;
      if (audit) recordOpened(audit.log, { ...info, roles: options.rolesOf(info.principal), view: options.view });
      const unwatch = gate.watch(accepted.principal, (why) => void session.close(why));
      void session.closed.then(() => {
        unwatch();
        sessions.delete(session);
        if (audit) recordClosed(audit.log, info, session.calls, session.ended?.code ?? 'done');
        settings.log.info({ session: session.info.number, calls: session.calls }, 'session closed');
      });
    },
    onReturn: (link, principal) => {
      const [session, accepted] = [...sessions].find(([, { link: theirs }]) => theirs === link) ?? [];
      if (!session || !accepted) return;
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
    grants: grants.accounts,
  };
  const listener: Listener =
    options.token === undefined
      ? await overlay.listenEphemeral(listenOptions)
      : await overlay.listen(options.token, listenOptions);
  name(listener.share);
  /** Which backends a session has is settled when it begins; what it may do there is not. */
  const couldHaveMore = (session: ClientSession, { principal }: AcceptedSession<Principal>): boolean => {
    const has = new Set(session.backendStates().map(({ id }) => id));
    const access = settings.accessFor(principal, session.info.number);
    return settings.backends.some(({ backend }) => !has.has(backend.id) && access.reaches(backend.id));
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
      await Promise.all(
        theirs.map(async ([session]) => {
          await within(DRAIN_MS, session.drain());
          await session.close(CHANGED);
        }),
      );
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
          depart(session, { over, reason: MOVED, delivered: () => link === undefined || delivered(link.stats()) }),
        );
        await Promise.all(each);
      }
    },
    yield: () => listener.yield(),
    withdraw: () => listener.close(),
    close: async () => {
      await listener.close();
      await within(DRAIN_MS, Promise.all([...sessions.keys()].map((session) => session.drain())));
      const reason = { code: 'away', reason: 'the gateway is ending' };
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
