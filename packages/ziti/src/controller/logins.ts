// Which way to log in, and where. Legacy on a single controller: it alone revokes at once on 1.6. OIDC with several: a
// legacy login lives on the controller that made it. Whichever is refused, the other is tried, unless one is demanded.

import type { Clock } from '../clock.ts';
import { ZitiError } from '../errors.ts';
import type { ZitiIdentity } from '../identity.ts';
import type { ZitiLog } from '../log.ts';
import { apiAnswer, describe, type Refusal } from './answers.ts';
import { type Controllers, isBusy, isTrouble, trouble } from './controllers.ts';
import { loginLegacy, logoutLegacy, refreshLegacy } from './legacy-login.ts';
import { listedControllers } from './listed-controllers.ts';
import { type Login, type LoginOutcome, type LoginTalk, loginHeaders, refusalIn } from './login.ts';
import { loginOidc, logoutOidc, refreshOidc } from './oidc-login.ts';
import { troubled } from './refusals.ts';
import type { RestClient } from './rest-client.ts';
import type { LoginKind } from './types.ts';

export type LoginChoice = 'auto' | LoginKind;

export interface Logins {
  login(signal: AbortSignal): Promise<Login>;
  /** Undefined: refused, only a new login helps. */
  refresh(old: Login, signal: AbortSignal): Promise<Login | undefined>;
  /** Best effort: nobody waits long for a controller when leaving. */
  logout(old: Login): Promise<void>;
}

export interface LoginsOptions {
  readonly identity: ZitiIdentity;
  readonly client: RestClient;
  readonly controllers: Controllers;
  readonly choice: LoginChoice;
  readonly clock: Clock;
  readonly log: ZitiLog;
}

const LOGOUT_MS = 2000;
/** The list of controllers is good to have; nobody waits long for it. */
const LIST_MS = 2000;

export function createLogins({ identity, client, controllers, choice, clock, log }: LoginsOptions): Logins {
  const talkTo = (controller: string, signal?: AbortSignal): LoginTalk => {
    return { client, controller, now: clock.now, wall: clock.wall, signal };
  };
  const attempt = (kind: LoginKind, signal: AbortSignal): Promise<LoginOutcome> => {
    const login = kind === 'legacy' ? loginLegacy : loginOidc;
    return controllers.inTurn(
      (url) => login(talkTo(url, signal)),
      (outcome) => trouble(refusalIn(outcome)),
      { signal },
    );
  };

  async function learn({ session }: Login, signal: AbortSignal): Promise<void> {
    const { controller: url } = session;
    try {
      const request = { headers: loginHeaders(session), timeoutMs: LIST_MS, signal };
      const answer = await client.send({ method: 'GET', url: `${url}/controllers`, ...request });
      const parsed = apiAnswer(answer, new URL(url).host);
      if (parsed.ok) controllers.learn(listedControllers(parsed.data));
    } catch (error) {
      log.debug({ error: (error as Error).message }, 'the list of controllers is not to be had');
    }
  }

  async function logout(old: Login): Promise<void> {
    const leave = old.session.kind === 'legacy' ? logoutLegacy : logoutOidc;
    await leave(talkTo(old.session.controller), old, LOGOUT_MS).catch((error: Error) => {
      log.debug({ error: error.message }, 'not logged out');
    });
  }

  /** Undefined: a legacy login whose controller is gone, and there are others. */
  async function refreshed(old: Login, signal: AbortSignal): Promise<LoginOutcome | undefined> {
    const isLegacy = old.session.kind === 'legacy';
    const refresh = isLegacy ? refreshLegacy : refreshOidc;
    try {
      return await controllers.inTurn(
        (url) => refresh(talkTo(url, signal), old),
        (outcome) => trouble(refusalIn(outcome)),
        { signal, only: isLegacy ? old.session.controller : undefined },
      );
    } catch (error) {
      if (isLegacy && controllers.urls.length > 1 && isTrouble(error)) return undefined;
      throw error;
    }
  }

  /** A legacy login told us of more controllers than the file knows. */
  async function preferOidc(legacy: Login, signal: AbortSignal): Promise<Login> {
    const outcome = await attempt('oidc', signal).catch((error: Error) => {
      log.warn({ error: error.message }, 'several controllers, but no OIDC login: staying with one controller');
      return undefined;
    });
    if (outcome === undefined || !('login' in outcome)) return legacy;
    await logout(legacy);
    return outcome.login;
  }

  return {
    async login(signal) {
      const kinds: LoginKind[] =
        choice !== 'auto' ? [choice] : controllers.several ? ['oidc', 'legacy'] : ['legacy', 'oidc'];
      const refusals: Refusal[] = [];
      for (const kind of kinds) {
        const outcome = await attempt(kind, signal);
        if ('login' in outcome) {
          const { login } = outcome;
          log.info({ kind, controller: login.session.controller, identity: login.session.identityName }, 'logged in');
          await learn(login, signal);
          const isAlone = choice !== 'auto' || kind === 'oidc' || refusals.length > 0 || !controllers.several;
          return isAlone ? login : preferOidc(login, signal);
        }
        if (isBusy(outcome.refusal)) throw troubled(outcome.refusal, 'logging in', controllers.urls);
        log.debug({ kind, status: outcome.refusal.status, code: outcome.refusal.code }, 'login refused');
        refusals.push(outcome.refusal);
      }
      const [first] = refusals;
      if (first !== undefined && refusals.every(trouble)) throw troubled(first, 'logging in', controllers.urls);
      throw loginRefused(identity, kinds, refusals, controllers.urls, clock.wall());
    },
    async refresh(old, signal) {
      const outcome = await refreshed(old, signal);
      if (outcome === undefined) return undefined;
      if ('login' in outcome) {
        // Not waited for: the new refresh token is to be kept at once.
        void learn(outcome.login, signal);
        return outcome.login;
      }
      // Not only 400 and 401: a refresh token that was used before is a 500 on some versions.
      if (isBusy(outcome.refusal)) throw troubled(outcome.refusal, 'renewing the login', controllers.urls);
      return undefined;
    },
    logout,
  };
}

function loginRefused(
  identity: ZitiIdentity,
  kinds: readonly LoginKind[],
  refusals: readonly Refusal[],
  urls: readonly string[],
  wall: number,
): ZitiError {
  const hosts = urls.map((url) => new URL(url).host).join(', ');
  const said = refusals.map((refusal, at) => `${kinds[at]} login: ${describe(refusal)}`).join('; ');
  const expired = identity.certExpiresAt.getTime() < wall;
  return new ZitiError('login_refused', `controller ${hosts} refused identity ${identity.id ?? '(no name)'}: ${said}`, {
    hint: expired
      ? `Its certificate expired on ${identity.certExpiresAt.toISOString()}: enroll again.`
      : 'The identity may be disabled or removed, or another certificate was issued for it: ask its owner, or enroll again.',
  });
}
