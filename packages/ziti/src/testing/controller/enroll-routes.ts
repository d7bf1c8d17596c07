// Enrolment with a one-time token: the CA bundle, and a certificate for the key of a signing request (ziti
// controller/internal/routes/enroll_router.go).

import { readSigningRequest, type SigningRequest } from '../pki/csr.ts';
import { fingerprint } from '../pki/jwt.ts';
import { type Answer, badRequest, badToken, enrollmentExpired, invalidField, ok } from './answer.ts';
import type { Controller } from './controller.ts';
import { type ApiRequest, jsonBody } from './request.ts';

const MEDIA_TYPES = ['application/json', 'application/pkcs7', 'application/x-pem-file', 'text/plain'];

export function authorities(controller: Controller): Answer {
  const headers = { 'content-type': 'application/pkcs7-mime', 'content-transfer-encoding': 'base64' };
  return { status: 200, headers, body: controller.bundle };
}

/** `POST /enroll?method=ott&token=…`, the body is the request itself. */
export function enrollPem(controller: Controller, request: ApiRequest): Answer {
  checkMediaType(request);
  const method = request.query.get('method') ?? 'ott';
  if (method !== 'ott') throw badToken();
  return enroll(controller, request, request.query.get('token') ?? '', request.body.toString());
}

/** `POST /enroll/ott`, token and request are members. */
export function enrollJson(controller: Controller, request: ApiRequest): Answer {
  checkMediaType(request);
  const { token = '', clientCsr = '' } = jsonBody(request);
  return enroll(controller, request, String(token), String(clientCsr));
}

function enroll(controller: Controller, request: ApiRequest, token: string, csr: string): Answer {
  const { state, pki } = controller;
  const identity = [...state.identities.values()].find(({ enrollment }) => enrollment?.token === token);
  if (!identity?.enrollment) throw badToken();
  if (identity.enrollment.expiresAt <= Date.now()) throw enrollmentExpired();
  const { subject, publicKey } = read(csr);
  // Before 2.0 nothing but the subject of the request (ziti controller/model/enrollment_mod_ott.go).
  const uri = controller.version.major < 2 ? [] : [`spiffe://${controller.trustDomain}/identity/${identity.id}`];
  const issued = pki.issueFor(subject, { commonName: identity.id, use: 'client', uri, publicKey });
  identity.enrollment = undefined;
  identity.fingerprints.add(fingerprint(issued.certificate));
  state.changed();
  if (request.headers.accept === 'application/x-pem-file') {
    return { status: 200, headers: { 'content-type': 'application/x-pem-file' }, body: issued.chainPem };
  }
  return ok({ cert: issued.chainPem });
}

function read(csr: string): SigningRequest {
  try {
    return readSigningRequest(csr);
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

function checkMediaType(request: ApiRequest): void {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
  if (MEDIA_TYPES.includes(type)) return;
  const reason = `unsupported media type "${type}", only [${MEDIA_TYPES.join(' ')}] are allowed`;
  throw invalidField('Content-Type', reason, type, 415);
}
