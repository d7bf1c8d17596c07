// Service sessions: permission to dial or bind one service, and the routers for it. One dial session for each service, kept
// for an hour, made once for all who wait; bind sessions are made for each who asks. A session belongs to the login it was
// made with and goes with it.

import type { Clock } from '../clock.ts';
import { ZitiError } from '../errors.ts';
import { isRecord, textOf } from '../json.ts';
import { decodeJwt } from '../jwt.ts';
import { LIMITS } from '../limits.ts';
import { invalidAnswer } from './answers.ts';
import type { Api, ApiResult } from './api.ts';
import type { ApiSessions } from './api-session.ts';
import { type Controllers, trouble } from './controllers.ts';
import { edgeRoutersOf } from './edge-routers.ts';
import { hostsOf, refused, serviceNotFound, sessionRefused, troubled } from './refusals.ts';
import type { Services } from './services.ts';
import type { EdgeRouterInfo, Permission, Service, ServiceSession } from './types.ts';
import { abortable } from './waiting.ts';

export interface ServiceSessions {
  dial(
    service: Service,
    options?: { renew?: ServiceSession; signal?: AbortSignal | undefined },
  ): Promise<ServiceSession>;
  bind(service: Service, signal?: AbortSignal): Promise<ServiceSession>;
  routers(session: ServiceSession, signal?: AbortSignal): Promise<EdgeRouterInfo[]>;
}

export interface ServiceSessionsOptions {
  readonly api: Api;
  readonly sessions: ApiSessions;
  readonly services: Services;
  readonly controllers: Controllers;
  readonly clock: Clock;
  /** Ends what is under way for nobody in particular. */
  readonly stopping: AbortSignal;
}

/** openziti/sdk-golang reads the routers of a dial session anew each hour. */
const KEPT_MS = 60 * 60_000;

export function createServiceSessions(options: ServiceSessionsOptions): ServiceSessions {
  const { api, sessions, services, controllers, clock, stopping } = options;
  const kept = new Map<string, { session: ServiceSession; readonly at: number }>();
  const flights = new Map<string, Promise<ServiceSession>>();
  const tokens = new Tokens();

  async function open(service: Service, type: Permission, signal: AbortSignal | undefined, again = true) {
    const request = { method: 'POST', path: '/sessions', json: { serviceId: service.id, type } } as const;
    const result = await api.call(request, signal);
    const { answer, controller } = result;
    if (answer.ok) return sessionOf(result, service, type);
    const { refusal } = answer;
    if (trouble(refusal)) throw troubled(refusal, `asking for a ${type} session`, controllers.urls);
    const denied = sessionRefused(refusal, service.name, type, controller);
    const isGone = refusal.status === 404;
    if (again && (isGone || denied?.code === 'service_not_permitted')) {
      // Made anew under its name, or permitted a moment ago: what we knew was old.
      const now = await services.find(service.name, { refresh: true, signal });
      if (now.id !== service.id || now.permissions.includes(type)) return open(now, type, signal, false);
    }
    throw (
      denied ??
      (isGone ? serviceNotFound(service.name, [controller]) : refused(refusal, `a ${type} session`, controller))
    );
  }

  function sessionOf({ answer, session, controller }: ApiResult, service: Service, type: Permission): ServiceSession {
    const data = answer.ok && isRecord(answer.data) ? answer.data : {};
    const [id, token] = [textOf(data, 'id'), textOf(data, 'token')];
    // A router does not answer to an empty token at all.
    if (id === undefined || token === undefined) {
      throw invalidAnswer(new URL(controller).host, 'a service session without id or token');
    }
    const good = tokens.usable(id, token);
    if (good === undefined)
      throw invalidAnswer(new URL(controller).host, 'a service session with the token of another');
    const about = { serviceId: service.id, serviceName: service.name, service };
    return { id, token: good, type, ...about, apiSessionId: session.id, routers: edgeRoutersOf(data) };
  }

  async function openForAll(service: Service): Promise<ServiceSession> {
    const session = await open(service, 'Dial', stopping);
    kept.set(service.name, { session, at: clock.now() });
    return session;
  }

  return {
    async dial(service, { renew, signal } = {}) {
      const login = await sessions.get(signal);
      const entry = kept.get(service.name);
      if (entry !== undefined) {
        const { session, at } = entry;
        const isOurs = session.apiSessionId === login.id && session.serviceId === service.id;
        if (isOurs && clock.now() - at < KEPT_MS && session.token !== renew?.token) return session;
        kept.delete(service.name);
      }
      const flight = flights.get(service.name) ?? openForAll(service).finally(() => flights.delete(service.name));
      flights.set(service.name, flight);
      flight.catch(() => {});
      return abortable(flight, signal);
    },
    bind: (service, signal) => open(service, 'Bind', signal),
    async routers(session, signal) {
      // A JWT is no record of the controller: there is only the service to ask for. `session-token` with an opaque token
      // is answered with 401, so it is never sent.
      const path = isJwt(session.token) ? `/services/${session.serviceId}/edge-routers` : `/sessions/${session.id}`;
      const { answer, controller } = await api.call({ method: 'GET', path }, signal);
      if (!answer.ok) {
        const { refusal } = answer;
        if (trouble(refusal)) throw troubled(refusal, 'asking for edge routers', controllers.urls);
        if (refusal.status === 404) throw lost(session, controller);
        throw refused(refusal, `the routers of service "${session.serviceName}"`, controller);
      }
      const routers = edgeRoutersOf(isRecord(answer.data) ? answer.data : {});
      const entry = kept.get(session.serviceName);
      if (entry?.session.token === session.token) entry.session = { ...entry.session, routers };
      return routers;
    },
  };
}

/** OpenZiti 2.0 up to 2.0.2 answers a second question for the same session with its id and a token that was made for a new
 * one, which no router takes (openziti/ziti controller/internal/routes/session_router.go, Create). The first one is still good. */
class Tokens {
  readonly #byId = new Map<string, string>();

  usable(id: string, token: string): string | undefined {
    const named = idIn(token);
    if (named !== undefined && named !== id) return this.#byId.get(id);
    if (named === undefined) return token;
    this.#byId.delete(id);
    this.#byId.set(id, token);
    for (const [oldest] of this.#byId) {
      if (this.#byId.size <= LIMITS.rememberedServices) break;
      this.#byId.delete(oldest);
    }
    return token;
  }
}

/** undefined: an opaque token, or one that names no session. */
function idIn(token: string): string | undefined {
  if (!isJwt(token)) return undefined;
  try {
    return textOf({ ...decodeJwt(token).claims }, 'jti');
  } catch {
    return undefined;
  }
}

function isJwt(token: string): boolean {
  return token.startsWith('ey') && token.split('.').length === 3;
}

function lost(session: ServiceSession, controller: string): ZitiError {
  const { type, serviceName } = session;
  const what = `${hostsOf([controller])} knows the ${type} session for service "${serviceName}" no more`;
  return new ZitiError('session_lost', what, { hint: 'Ask for a new one; the service or the policy may be gone.' });
}
