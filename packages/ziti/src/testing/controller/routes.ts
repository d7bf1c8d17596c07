// Which request is answered by what. Paths are those of the edge client API; `/edge/client/v1` may be left out, as ziti allows.

import { type Answer, notFound, ok, page } from './answer.ts';
import type { Controller } from './controller.ts';
import { authorities, enrollJson, enrollPem } from './enroll-routes.ts';
import { authenticate, createSessionCertificate, currentApiSession, currentIdentity, logOut } from './login-routes.ts';
import { type ApiRequest, loggedIn } from './request.ts';
import * as services from './service-routes.ts';

type Route = (controller: Controller, request: ApiRequest, id: string) => Answer;

const BASE = '/edge/client/v1';

const ROUTES: readonly (readonly [method: string, path: RegExp, route: Route])[] = [
  ['GET', /^\/version$/, version],
  ['GET', /^\/.well-known\/est\/cacerts$/, authorities],
  ['POST', /^\/enroll$/, enrollPem],
  ['POST', /^\/enroll\/ott$/, enrollJson],
  ['POST', /^\/authenticate$/, authenticate],
  ['GET', /^\/current-api-session$/, currentApiSession],
  ['DELETE', /^\/current-api-session$/, logOut],
  ['POST', /^\/current-api-session\/certificates$/, createSessionCertificate],
  ['GET', /^\/current-api-session\/service-updates$/, services.serviceUpdates],
  ['GET', /^\/current-identity$/, currentIdentity],
  ['GET', /^\/current-identity\/edge-routers$/, services.ownRouters],
  ['GET', /^\/services$/, services.listServices],
  ['GET', /^\/services\/([^/]+)$/, services.oneService],
  ['GET', /^\/services\/([^/]+)\/edge-routers$/, services.serviceRouters],
  ['GET', /^\/services\/([^/]+)\/terminators$/, services.serviceTerminators],
  ['GET', /^\/sessions$/, services.listSessions],
  ['POST', /^\/sessions$/, services.createSession],
  ['GET', /^\/sessions\/([^/]+)$/, services.oneSession],
  ['DELETE', /^\/sessions\/([^/]+)$/, services.deleteSession],
  ['GET', /^\/controllers$/, controllers],
  ['GET', /^\/external-jwt-signers$/, (_controller, { query }) => page([], query)],
  ['GET', /^\/oidc\/authorize$/, ({ oidc }, request) => oidc.authorize(request)],
  ['GET', /^\/oidc\/authorize\/callback$/, ({ oidc }, request) => oidc.callback(request)],
  ['POST', /^\/oidc\/login\/(cert|username|password)$/, ({ oidc }, request) => oidc.login(request)],
  ['POST', /^\/oidc\/oauth\/token$/, ({ oidc }, request) => oidc.token(request)],
  ['GET', /^\/oidc\/keys$/, ({ oidc }) => oidc.keys()],
  ['GET', /^\/oidc\/.well-known\/openid-configuration$/, ({ oidc }) => oidc.discovery()],
];

/** Throws an ApiError. */
export function route(controller: Controller, request: ApiRequest): Answer {
  const path = request.path.startsWith(BASE) ? request.path.slice(BASE.length) : request.path;
  const offered = controller.offersOidc || !path.startsWith('/oidc');
  for (const [method, pattern, handler] of ROUTES) {
    const found = method === request.method && offered ? pattern.exec(path) : null;
    if (found) return handler(controller, request, decodeURIComponent(found[1] ?? ''));
  }
  throw notFound(`path ${request.path} was not found`);
}

function version(controller: Controller): Answer {
  const { url, offersOidc, siblings } = controller;
  const api = (path: string) => ({ v1: { apiBaseUrls: [`${url}${path}`], path } });
  return ok({
    apiVersions: {
      edge: api(BASE),
      'edge-client': api(BASE),
      ...(offersOidc ? { 'edge-oidc': { v1: { apiBaseUrls: [url], path: '/oidc' } } } : {}),
    },
    buildDate: '2020-01-01 01:01:01',
    capabilities: [...(offersOidc ? ['OIDC_AUTH'] : []), ...(siblings.length > 1 ? ['HA_CONTROLLER'] : [])],
    revision: 'local',
    runtimeVersion: 'go1.24.3',
    version: controller.version.text,
  });
}

/** Empty for a single controller. */
function controllers(controller: Controller, request: ApiRequest): Answer {
  loggedIn(controller.state, request, controller.index);
  const all = controller.siblings.length > 1 ? controller.siblings : [];
  const shown = all.map(({ index, url, running }) => ({
    id: `ctrl${index + 1}`,
    name: `ctrl${index + 1}`,
    isOnline: running,
    apiAddresses: { 'edge-client': [{ url: `${url}${BASE}`, version: 'v1' }] },
  }));
  return page(shown, request.query);
}
