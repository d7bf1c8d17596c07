// The control half of the client, put together: who answers (controllers), the login (api-session over logins), requests
// with it (api), services, service sessions. See types.ts for what it promises.

import { setMaxListeners } from 'node:events';
import { proxyFromEnvironment } from '../channel/proxy.ts';
import type { OpenSocket } from '../channel/underlay.ts';
import { type Clock, SYSTEM_CLOCK } from '../clock.ts';
import { tlsOptions, type ZitiIdentity } from '../identity.ts';
import { SILENT, type ZitiLog } from '../log.ts';
import { createApi } from './api.ts';
import { createApiSessions } from './api-session.ts';
import { createControllers } from './controllers.ts';
import { createLogins, type LoginChoice } from './logins.ts';
import { ownRouters } from './own-routers.ts';
import { createRestClient } from './rest-client.ts';
import { createServiceSessions } from './service-sessions.ts';
import { createServices } from './services.ts';
import { createSessionCertificates } from './session-certificate.ts';
import type { Controller } from './types.ts';
import { closedClient } from './unanswered.ts';

export interface ControllerOptions {
  /** Default 'auto': legacy on one controller, OIDC on several, the other when it is refused. */
  readonly login?: LoginChoice;
  /** For one answer. Default 15 000. */
  readonly timeoutMs?: number;
  readonly maxAnswerBytes?: number;
  /** The way to a controller. Default: as HTTPS_PROXY and NO_PROXY say. */
  readonly openSocket?: OpenSocket | undefined;
  readonly log?: ZitiLog;
  readonly clock?: Clock;
  /** 0 <= x < 1. */
  readonly random?: () => number;
  /** Pauses when all controllers are busy. */
  readonly busyPausesMs?: readonly number[];
}

export function createController(identity: ZitiIdentity, options: ControllerOptions = {}): Controller {
  const { login: choice = 'auto', clock = SYSTEM_CLOCK, random = Math.random, log = SILENT, ...rest } = options;
  const openSocket = options.openSocket ?? proxyFromEnvironment();
  const client = createRestClient({ tls: tlsOptions(identity), ...rest, openSocket });
  const controllers = createControllers(identity.controllers, { clock, random, ...rest });
  const logins = createLogins({ identity, client, controllers, choice, clock, log });
  const sessions = createApiSessions({ logins, clock, random, log });
  const api = createApi({ client, controllers, sessions });
  const sessionCertificate = createSessionCertificates({ api, sessions, controllers, clock });
  const stopping = new AbortController();
  // As many listen as sessions are being made.
  setMaxListeners(0, stopping.signal);
  const common = { api, controllers, clock, stopping: stopping.signal };
  const services = createServices(common);
  const serviceSessions = createServiceSessions({ ...common, sessions, services });
  return {
    apiSession: (signal) => sessions.get(signal),
    onRenewed: (listener) => sessions.onRenewed(listener),
    invalidate: (session) => sessions.invalidate(session),
    service: (name, how) => services.find(name, how),
    services: (signal) => services.list(signal),
    dialSession: (service, how) => serviceSessions.dial(service, how),
    bindSession: (service, signal) => serviceSessions.bind(service, signal),
    ownRouters: (signal) => ownRouters({ api, controllers }, signal),
    refreshRouters: (session, signal) => serviceSessions.routers(session, signal),
    sessionCertificate,
    states: () => controllers.states(),
    async close() {
      stopping.abort(closedClient());
      await sessions.close();
      client.close();
    },
  };
}
