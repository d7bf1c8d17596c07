// A certificate of the present login: for a key of its own, good for some hours, and naming the identity as the controller
// knows it (its SPIFFE ID). That of enrolment has the subject which the enrolling end wrote, and before 2.0 nothing else
// (openziti/ziti controller/model/enrollment_mod_ott.go, api_session_certificate_manager.go CreateFromCSR).

import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '../clock.ts';
import { certificateRequest } from '../enroll/csr.ts';
import { isRecord, textOf } from '../json.ts';
import { certificatesOf, certificatesPem } from '../pem.ts';
import { invalidAnswer } from './answers.ts';
import type { Api } from './api.ts';
import type { ApiSessions } from './api-session.ts';
import { type Controllers, trouble } from './controllers.ts';
import { refused, troubled } from './refusals.ts';
import { abortable } from './waiting.ts';

export interface SessionCertificate {
  readonly key: KeyObject;
  /** The chain, leaf first. */
  readonly certPem: string;
  readonly expiresAt: Date;
}

export interface SessionCertificatesOptions {
  readonly api: Api;
  readonly sessions: ApiSessions;
  readonly controllers: Controllers;
  readonly clock: Clock;
}

/** So long before its end another one is made: a peer whose clock is ahead takes it still. */
const RENEW_MS = 3_600_000;

/** The same one until it is due; one request at a time for all who ask. */
export function createSessionCertificates(
  options: SessionCertificatesOptions,
): (signal?: AbortSignal) => Promise<SessionCertificate> {
  const { sessions, clock } = options;
  let held: SessionCertificate | undefined;
  let flight: Promise<SessionCertificate> | undefined;

  async function make(): Promise<SessionCertificate> {
    const { identityId } = await sessions.get();
    held = await request(identityId, options);
    return held;
  }

  return (signal) => {
    if (held && held.expiresAt.getTime() - clock.wall() > RENEW_MS) return Promise.resolve(held);
    flight ??= make().finally(() => {
      flight = undefined;
    });
    return abortable(flight, signal);
  };
}

const newKey = promisify(generateKeyPair);

async function request(
  identityId: string,
  { api, controllers }: SessionCertificatesOptions,
): Promise<SessionCertificate> {
  const doing = 'asking for a certificate of this login';
  const { privateKey } = await newKey('ec', { namedCurve: 'P-256' });
  const { answer, controller } = await api.call({
    method: 'POST',
    path: '/current-api-session/certificates',
    json: { csr: certificateRequest(privateKey, identityId) },
  });
  if (!answer.ok) {
    if (trouble(answer.refusal)) throw troubled(answer.refusal, doing, controllers.urls);
    throw refused(answer.refusal, doing, controller);
  }
  const pem = isRecord(answer.data) ? textOf(answer.data, 'certificate') : undefined;
  const chain = readChain(pem ?? '');
  const [leaf] = chain;
  if (!leaf?.checkPrivateKey(privateKey)) throw invalidAnswer(controller, 'a certificate for our key');
  return { key: privateKey, certPem: certificatesPem(chain), expiresAt: new Date(leaf.validTo) };
}

function readChain(pem: string): ReturnType<typeof certificatesOf> {
  try {
    return certificatesOf(pem);
  } catch {
    return [];
  }
}
