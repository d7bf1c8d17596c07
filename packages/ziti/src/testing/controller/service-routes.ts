// Services and their sessions: what an identity can see, and the permission to dial or host one.

import { signJwt } from '../pki/jwt.ts';
import { rightsOf } from '../state/access.ts';
import { newId, newToken } from '../state/network-state.ts';
import type { ApiSession, Service, ServiceSession } from '../state/records.ts';
import { type Answer, ApiError, invalidField, noRouters, notFound, ok, page, unauthorized } from './answer.ts';
import type { Controller } from './controller.ts';
import { type ApiRequest, jsonBody, loggedIn } from './request.ts';
import { routersFor, routerView, serviceSessionView, serviceView } from './views.ts';

const YEAR_SECONDS = 365 * 86_400;

export function listServices(controller: Controller, request: ApiRequest): Answer {
  const session = loggedIn(controller.state, request, controller.index);
  const wanted = filterOf(request.query.get('filter'));
  const visible = visibleServices(controller, session).filter(wanted);
  const asked = request.query.getAll('configTypes');
  return page(
    visible.map((service) => serviceView(service, session, asked)),
    request.query,
  );
}

export function oneService(controller: Controller, request: ApiRequest, id: string): Answer {
  const session = loggedIn(controller.state, request, controller.index);
  return ok(serviceView(visibleService(controller, session, id), session, request.query.getAll('configTypes')));
}

export function serviceRouters(controller: Controller, request: ApiRequest, id: string): Answer {
  const session = loggedIn(controller.state, request, controller.index);
  const token = request.headers['session-token'];
  // A legacy service session is no JWT, and only a JWT is understood here.
  if (token !== undefined && !String(token).startsWith('ey')) {
    throw unauthorized('token is malformed: token contains an invalid number of segments');
  }
  return ok({ edgeRouters: routersFor(visibleService(controller, session, id), controller.routers) ?? [] });
}

export function serviceTerminators(controller: Controller, request: ApiRequest, id: string): Answer {
  const session = loggedIn(controller.state, request, controller.index);
  const service = visibleService(controller, session, id);
  const all = [...controller.state.terminators.values()].filter((terminator) => terminator.service === service);
  const shown = all.map((terminator) => ({ id: terminator.id, identity: terminator.instance, serviceId: service.id }));
  return page(shown, request.query);
}

export function serviceUpdates(controller: Controller, request: ApiRequest): Answer {
  loggedIn(controller.state, request, controller.index);
  return ok({ lastChangeAt: controller.state.servicesChangedAt.toISOString() });
}

export function ownRouters(controller: Controller, request: ApiRequest): Answer {
  loggedIn(controller.state, request, controller.index);
  return page(
    controller.routers.map((router) => ({ id: router.id, tags: {}, ...routerView(router) })),
    request.query,
  );
}

export function createSession(controller: Controller, request: ApiRequest): Answer {
  const { state } = controller;
  const apiSession = loggedIn(state, request, controller.index);
  const { serviceId = '', type } = jsonBody(request);
  if (type !== 'Dial' && type !== 'Bind') {
    throw invalidField('type', 'type in body should be one of [Dial Bind Invalid]', type);
  }
  const service = visibleService(controller, apiSession, String(serviceId));
  if (!rightsOf(apiSession.identity, service).includes(type)) {
    throw invalidField('ServiceId', 'service not found', serviceId);
  }
  const known = [...state.serviceSessions.values()].find(
    (made) => made.apiSession === apiSession && made.service === service && made.type === type && !made.ended,
  );
  // One login has one session of each type for each service; one without any router is still handed out.
  if (known && apiSession.kind === 'legacy') return ok(serviceSessionView(known, controller.routers), {}, 201);
  if (routersFor(service, controller.routers) === null) throw noRouters();
  const id = apiSession.kind === 'legacy' ? newId(25) : newToken();
  const token = apiSession.kind === 'legacy' ? newToken() : sessionJwt(controller, apiSession, service, type, id);
  const session: ServiceSession = { id, token, type, apiSession, service, createdAt: new Date(), ended: false };
  state.serviceSessions.set(token, session);
  state.changed();
  return ok(serviceSessionView(session, controller.routers), {}, 201);
}

export function listSessions(controller: Controller, request: ApiRequest): Answer {
  const apiSession = loggedIn(controller.state, request, controller.index);
  const own = [...controller.state.serviceSessions.values()].filter(
    (made) => made.apiSession === apiSession && !made.ended,
  );
  return page(
    own.map((session) => ({ ...serviceSessionView(session, controller.routers), servicePolicies: [] })),
    request.query,
  );
}

export function oneSession(controller: Controller, request: ApiRequest, id: string): Answer {
  const session = ownSession(controller, request, id);
  return ok({ ...serviceSessionView(session, controller.routers), servicePolicies: [] });
}

export function deleteSession(controller: Controller, request: ApiRequest, id: string): Answer {
  controller.state.endServiceSession(ownSession(controller, request, id));
  return ok({});
}

/** Sessions of OIDC logins are tokens only: a controller does not know them. */
function ownSession(controller: Controller, request: ApiRequest, id: string): ServiceSession {
  const apiSession = loggedIn(controller.state, request, controller.index);
  const found = [...controller.state.serviceSessions.values()].find((made) => made.id === id && !made.ended);
  if (!found || found.apiSession !== apiSession || apiSession.kind === 'oidc') {
    throw notFound(`session with id ${id} not found`);
  }
  return found;
}

function visibleServices(controller: Controller, { identity }: ApiSession): Service[] {
  return [...controller.state.services.values()].filter((service) => rightsOf(identity, service).length > 0);
}

function visibleService(controller: Controller, session: ApiSession, id: string): Service {
  const found = visibleServices(controller, session).find((service) => service.id === id);
  if (!found) throw notFound(`service with id ${id} not found`);
  return found;
}

/** `name="x"` or `id="x"`, with `\"` and `\\` inside; a real controller understands a whole language. */
function filterOf(filter: string | null): (service: Service) => boolean {
  if (filter === null) return () => true;
  const found = /^(name|id)\s*=\s*"((?:[^"\\]|\\.)*)"$/.exec(filter);
  if (!found) throw new ApiError(400, 'INVALID_FILTER', 'The filter query supplied is invalid', { filter });
  const [, field, quoted = ''] = found;
  const value = quoted.replace(/\\(.)/g, '$1');
  return (service) => (field === 'id' ? service.id : service.name) === value;
}

function sessionJwt(
  controller: Controller,
  { id: apiSessionId, identity }: ApiSession,
  service: Service,
  type: string,
  id: string,
): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: controller.url,
    sub: service.id,
    aud: ['openziti'],
    exp: now + YEAR_SECONDS,
    iat: now,
    jti: id,
    z_asid: apiSessionId,
    z_iid: identity.id,
    z_t: 's',
    z_st: type,
  };
  return signJwt(claims, controller.key);
}
