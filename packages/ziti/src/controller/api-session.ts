// The login as something that lives: made when first needed, renewed before it ends, replaced when it is lost. One login or
// refresh at a time, for all who wait - a refresh token works once. Who waits may stop waiting; the work goes on.

import type { Clock } from '../clock.ts';
import { ZitiError } from '../errors.ts';
import type { ZitiLog } from '../log.ts';
import type { Login } from './login.ts';
import type { Logins } from './logins.ts';
import type { ApiSession, Renewal } from './types.ts';
import { closedClient } from './unanswered.ts';
import { abortable } from './waiting.ts';

export interface ApiSessions {
  get(signal?: AbortSignal): Promise<ApiSession>;
  /** The controller answered 401 to this session. Resolves when it is worth asking again. */
  renew(refused: ApiSession, signal?: AbortSignal): Promise<void>;
  /** Unusable, whatever the controller says: the next use logs in. */
  invalidate(session: ApiSession): void;
  onRenewed(listener: (session: ApiSession, kind: Renewal) => void): () => void;
  close(): Promise<void>;
}

export interface ApiSessionsOptions {
  readonly logins: Logins;
  readonly clock: Clock;
  /** 0 <= x < 1. */
  readonly random: () => number;
  readonly log: ZitiLog;
}

interface Renewed {
  readonly login: Login;
  readonly kind: Renewal;
}

/** After a refresh that failed; doubled each time. Numbers of openziti/sdk-golang ziti/ziti.go. */
const RETRY_MS = 5000;
/** A refused login is not tried again sooner; doubled each time up to the maximum. */
const REFUSED_MS = 1000;
const MAX_PAUSE_MS = 60_000;

export function createApiSessions({ logins, clock, random, log }: ApiSessionsOptions): ApiSessions {
  const listeners = new Set<(session: ApiSession, kind: Renewal) => void>();
  const stopping = new AbortController();
  let current: Login | undefined;
  let flight: Promise<Login> | undefined;
  let hadLogin = false;
  let closing: Promise<void> | undefined;
  let refusal: { readonly error: ZitiError; readonly until: number; readonly pauseMs: number } | undefined;
  let cancelTimer = (): void => {};

  const isPresent = (session: ApiSession): boolean => current?.session.token === session.token;

  /** At a random point between a half and five sixths of the rest, so that a fleet does not come at once. */
  function plan(login: Login, waitMs = (login.endsAt - clock.now()) * (1 / 2 + random() / 3), failures = 0): void {
    cancelTimer();
    const renew = (): void => {
      if (current !== login) return;
      fly(true).catch((error: ZitiError) => {
        log.warn({ error: error.message, code: error.code }, 'the login was not renewed');
        const pauseMs = Math.min(MAX_PAUSE_MS, RETRY_MS * 2 ** failures);
        // Past its end the next user logs in.
        if (current === login && clock.now() + pauseMs < login.endsAt) plan(login, pauseMs, failures + 1);
      });
    };
    cancelTimer = clock.after(Math.max(waitMs, 0), renew, true);
  }

  function install({ login, kind }: Renewed): Login {
    current = login;
    refusal = undefined;
    plan(login);
    if (hadLogin) for (const listener of listeners) listener(login.session, kind);
    hadLogin = true;
    return login;
  }

  async function logIn(): Promise<Renewed> {
    if (refusal !== undefined && clock.now() < refusal.until) throw refusal.error;
    try {
      return { login: await logins.login(stopping.signal), kind: 'new-login' };
    } catch (error) {
      if (error instanceof ZitiError && error.code === 'login_refused') {
        const pauseMs = Math.min(MAX_PAUSE_MS, (refusal?.pauseMs ?? REFUSED_MS / 2) * 2);
        refusal = { error, until: clock.now() + pauseMs, pauseMs };
      }
      throw error;
    }
  }

  async function refreshOrLogIn(old: Login): Promise<Renewed> {
    const login = await logins.refresh(old, stopping.signal);
    if (login !== undefined) {
      return { login, kind: login.session.id === old.session.id ? 'refreshed' : 'new-login' };
    }
    if (current === old) current = undefined;
    log.info({ kind: old.session.kind }, 'the login ended, a new one is made');
    return logIn();
  }

  function fly(refreshFirst: boolean): Promise<Login> {
    if (flight === undefined) {
      const old = current;
      flight = land(refreshFirst && old !== undefined ? refreshOrLogIn(old) : logIn());
      // Everybody may have stopped waiting.
      flight.catch(() => {});
    }
    return flight;
  }

  /** The flight is over before anybody hears of it, in one step: who listens may begin the next one. */
  async function land(work: Promise<Renewed>): Promise<Login> {
    const renewed = await work.catch((error: unknown) => {
      flight = undefined;
      throw error;
    });
    flight = undefined;
    return install(renewed);
  }

  function assertOpen(): void {
    if (closing !== undefined) throw closedClient();
  }

  return {
    async get(signal) {
      assertOpen();
      // While it is being renewed it is still good.
      if (current !== undefined && clock.now() < current.endsAt) return current.session;
      return (await abortable(fly(true), signal)).session;
    },
    async renew(refused, signal) {
      assertOpen();
      if (!isPresent(refused) && flight === undefined) return;
      // A legacy token that is unknown stays unknown; an access token may just be too old.
      if (refused.kind === 'legacy' && isPresent(refused)) current = undefined;
      await abortable(fly(true), signal);
    },
    invalidate(session) {
      if (isPresent(session)) current = undefined;
    },
    onRenewed(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closing ??= (async () => {
        cancelTimer();
        listeners.clear();
        stopping.abort(closedClient());
        await flight?.catch(() => {});
        cancelTimer();
        const last = current;
        current = undefined;
        if (last !== undefined) await logins.logout(last);
      })();
      return closing;
    },
  };
}
