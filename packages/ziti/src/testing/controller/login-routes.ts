// The legacy login: `/authenticate` with a certificate, the session it makes, its end.

import { readSigningRequest, type SigningRequest } from '../pki/csr.ts';
import { newId, newToken } from '../state/network-state.ts';
import type { ApiSession } from '../state/records.ts';
import { type Answer, badRequest, invalidAuth, invalidField, ok } from './answer.ts';
import type { Controller } from './controller.ts';
import { type ApiRequest, jsonBody, loggedIn, shownIdentity } from './request.ts';
import { apiSessionView, identityView } from './views.ts';

const METHODS = ['password', 'cert', 'ext-jwt'];
const SESSION_CERTIFICATE_MS = 12 * 3_600_000;

export function authenticate(controller: Controller, request: ApiRequest): Answer {
  const { state } = controller;
  const method = request.query.get('method') ?? '';
  // The status is what 1.6.0 sends.
  if (!METHODS.includes(method)) {
    throw invalidField('method', `method in query should be one of [${METHODS.join(' ')}]`, method, 606);
  }
  const identity = method === 'cert' ? shownIdentity(state, request) : undefined;
  if (!identity) throw invalidAuth();
  const { configTypes = [] } = request.body.length === 0 ? {} : jsonBody(request);
  const session: ApiSession = {
    kind: 'legacy',
    id: newId(25),
    identity,
    controller: controller.index,
    createdAt: new Date(),
    configTypes: Array.isArray(configTypes) ? configTypes.map(String) : [],
    fingerprints: request.fingerprints,
    token: newToken(),
    expiresAt: Date.now() + state.timing.apiSessionMs,
    ended: false,
  };
  state.apiSessions.set(session.id, session);
  state.changed();
  return { ...ok(apiSessionView(session, state.timing.apiSessionMs)), headers: { 'zt-session': session.token } };
}

export function currentApiSession(controller: Controller, request: ApiRequest): Answer {
  const session = loggedIn(controller.state, request, controller.index);
  return ok(apiSessionView(session, controller.state.timing.apiSessionMs));
}

/** Ends a legacy login with all its channels; with OIDC only the tokens are void. */
export function logOut(controller: Controller, request: ApiRequest): Answer {
  controller.state.endApiSession(loggedIn(controller.state, request, controller.index));
  return ok({});
}

export function currentIdentity(controller: Controller, request: ApiRequest): Answer {
  return ok(identityView(loggedIn(controller.state, request, controller.index).identity), null);
}

/** A certificate of the login: the URI is the controller's, and from 2.0 on the subject too (ziti controller/model/
 *  api_session_certificate_manager.go). */
export function createSessionCertificate(controller: Controller, request: ApiRequest): Answer {
  const { pki, trustDomain, version, state } = controller;
  const { id: session, identity } = loggedIn(state, request, controller.index);
  const { subject, publicKey } = read(String(jsonBody(request).csr));
  const id = newId(10);
  const path = `identity/${identity.id}/apiSession/${session}/apiSessionCertificate/${id}`;
  const options = {
    commonName: identity.id,
    use: 'client' as const,
    uri: [`spiffe://${trustDomain}/${path}`],
    publicKey,
    notBefore: new Date(),
    notAfter: new Date(Date.now() + SESSION_CERTIFICATE_MS),
  };
  const issued = version.major < 2 ? pki.issueFor(subject, options) : pki.issue(options);
  return ok({ id, certificate: issued.chainPem, cas: pki.rootPem + pki.intermediatePem }, {}, 201);
}

function read(csr: string): SigningRequest {
  try {
    return readSigningRequest(csr);
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}
