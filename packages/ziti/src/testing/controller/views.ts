// Records as a controller shows them, in the fields of ziti 1.6.0 (edge-api rest_model), links left out where no client follows.

import type { Router } from '../router/router.ts';
import { rightsOf, servedBy } from '../state/access.ts';
import type { ApiSession, Identity, Service, ServiceSession } from '../state/records.ts';

export function apiSessionView(session: ApiSession, apiSessionMs: number): Record<string, unknown> {
  const { id, identity, createdAt, configTypes, token } = session;
  const now = new Date().toISOString();
  const expiresAt = new Date(session.expiresAt).toISOString();
  const seconds = Math.floor((session.kind === 'legacy' ? apiSessionMs : session.expiresAt - Date.now()) / 1000);
  return {
    _links: { self: { href: `./api-sessions/${id}` }, sessions: { href: `./api-sessions/${id}/sessions` } },
    createdAt: createdAt.toISOString(),
    id,
    tags: {},
    updatedAt: createdAt.toISOString(),
    authQueries: [],
    authenticatorId: identity.id.slice(0, 9),
    cachedLastActivityAt: now,
    configTypes,
    identity: { _links: { self: { href: `./identities/${identity.id}` } }, entity: 'identities', ...nameOf(identity) },
    identityId: identity.id,
    ipAddress: '127.0.0.1',
    isCertExtendable: true,
    isMfaComplete: false,
    isMfaRequired: false,
    lastActivityAt: now,
    token,
    expirationSeconds: seconds,
    expiresAt,
  };
}

export function identityView(identity: Identity): Record<string, unknown> {
  const named = (kind: string, name: string) => ({ _links: {}, entity: kind, id: name, name });
  const [fingerprint = ''] = identity.fingerprints;
  return {
    _links: { self: { href: './current-identity' }, mfa: { href: './current-identity/mfa' } },
    createdAt: identity.createdAt.toISOString(),
    ...nameOf(identity),
    tags: {},
    updatedAt: identity.createdAt.toISOString(),
    appData: {},
    authPolicy: named('auth-policies', 'default'),
    authPolicyId: 'default',
    authenticators: { cert: { fingerprint, id: identity.id.slice(0, 9) } },
    defaultHostingCost: 0,
    defaultHostingPrecedence: 'default',
    disabled: false,
    edgeRouterConnectionStatus: 'offline',
    enrollment: {},
    envInfo: {},
    externalId: null,
    hasApiSession: true,
    hasEdgeRouterConnection: false,
    isAdmin: false,
    isDefaultAdmin: false,
    isMfaEnabled: false,
    roleAttributes: [],
    sdkInfo: {},
    serviceHostingCosts: {},
    serviceHostingPrecedences: {},
    type: named('identity-types', 'Default'),
    typeId: 'Default',
  };
}

export function serviceView(service: Service, session: ApiSession, asked: readonly string[]): Record<string, unknown> {
  const { id, name, createdAt, encryption, config } = service;
  const permissions = rightsOf(session.identity, service);
  const wanted = [...session.configTypes, ...asked];
  const shown = Object.entries(config).filter(([type]) => wanted.includes('all') || wanted.includes(type));
  return {
    _links: { self: { href: `./services/${id}` }, terminators: { href: `./services/${id}/terminators` } },
    createdAt: createdAt.toISOString(),
    id,
    tags: {},
    updatedAt: createdAt.toISOString(),
    config: Object.fromEntries(shown),
    configs: Object.keys(config).length === 0 ? null : Object.keys(config),
    encryptionRequired: encryption,
    maxIdleTimeMillis: 0,
    name,
    permissions,
    postureQueries: permissions.map((right) => ({
      isPassing: true,
      policyId: `dummy ${right.toLowerCase()} policy: no posture checks defined`,
      policyType: right,
      postureQueries: [],
    })),
    roleAttributes: null,
    terminatorStrategy: 'smartrouting',
  };
}

/** Off line routers are listed, without addresses. */
export function routerView(router: Router): Record<string, unknown> {
  const online = router.running && router.listedOnline;
  const urls = online ? router.urls : {};
  return {
    cost: 0,
    disabled: false,
    hostname: online ? '127.0.0.1' : '',
    isOnline: online,
    name: router.name,
    noTraversal: false,
    supportedProtocols: urls,
    syncStatus: online ? 'SYNC_DONE' : 'SYNC_UNKNOWN',
    urls,
  };
}

/** `null` when no router may serve it any more. */
export function routersFor(service: Service, routers: readonly Router[]): Record<string, unknown>[] | null {
  const allowed = routers.filter(({ name }) => servedBy(service, name));
  return allowed.length === 0 ? null : allowed.map(routerView);
}

export function serviceSessionView(session: ServiceSession, routers: readonly Router[]): Record<string, unknown> {
  const { id, token, type, apiSession, service, createdAt } = session;
  const jwt = apiSession.kind === 'oidc';
  const at = jwt ? null : createdAt.toISOString();
  return {
    _links: jwt ? null : { self: { href: `./sessions/${id}` } },
    createdAt: at,
    id,
    ...(jwt ? {} : { tags: {} }),
    updatedAt: at,
    apiSession: jwt ? null : { _links: {}, entity: 'api-sessions', id: apiSession.id },
    apiSessionId: apiSession.id,
    edgeRouters: routersFor(service, routers),
    identityId: apiSession.identity.id,
    service: jwt ? null : { _links: {}, entity: 'services', id: service.id, name: service.name },
    serviceId: service.id,
    token,
    type,
  };
}

function nameOf({ id, name }: Identity): { id: string; name: string } {
  return { id, name };
}
