// The certificate login of OpenZiti 1.x and 2.x: one opaque token, known to the controller that made it, alive while it is
// used. openziti/edge-api client.yml /authenticate and /current-api-session.

import { arch, platform } from 'node:os';
import { ZitiError } from '../errors.ts';
import { isRecord, textOf } from '../json.ts';
import { apiAnswer, invalidAnswer } from './answers.ts';
import { type Login, type LoginOutcome, type LoginTalk, loginHeaders, SDK_TYPE, SDK_VERSION } from './login.ts';
import type { RestRequest } from './rest-client.ts';

export async function loginLegacy(talk: LoginTalk): Promise<LoginOutcome> {
  const text = JSON.stringify({
    sdkInfo: { type: SDK_TYPE, version: SDK_VERSION },
    envInfo: { os: platform(), arch: arch() },
  });
  const path = '/authenticate?method=cert';
  return sessionIn(talk, { method: 'POST', url: talk.controller + path, body: { type: 'application/json', text } });
}

/** Asking is enough: any call with the token renews it, this one tells until when. */
export function refreshLegacy(talk: LoginTalk, { session }: Login): Promise<LoginOutcome> {
  const url = `${talk.controller}/current-api-session`;
  return sessionIn(talk, { method: 'GET', url, headers: loginHeaders(session) });
}

/** Routers close the channels of the session at once. */
export async function logoutLegacy(talk: LoginTalk, { session }: Login, timeoutMs: number): Promise<void> {
  const url = `${session.controller}/current-api-session`;
  await talk.client.send({ method: 'DELETE', url, headers: loginHeaders(session), timeoutMs });
}

async function sessionIn(talk: LoginTalk, request: RestRequest): Promise<LoginOutcome> {
  const { host } = new URL(talk.controller);
  const sentAt = talk.now();
  const answer = apiAnswer(await talk.client.send({ ...request, signal: talk.signal }), host);
  if (!answer.ok) return { refusal: answer.refusal };
  const data = isRecord(answer.data) ? answer.data : {};
  const [token, id, identityId] = [textOf(data, 'token'), textOf(data, 'id'), textOf(data, 'identityId')];
  if (token === undefined || id === undefined || identityId === undefined) {
    throw invalidAnswer(host, 'a login without token or identity');
  }
  // A list that is not empty: the login is half done.
  if (Array.isArray(data.authQueries) && data.authQueries.length > 0) throw secondFactor(host);
  const lifeMs = lifeOf(data, talk.wall());
  const identity = isRecord(data.identity) ? data.identity : {};
  const session = {
    kind: 'legacy',
    token,
    id,
    identityId,
    identityName: textOf(identity, 'name') ?? identityId,
    expiresAt: new Date(talk.wall() + lifeMs),
    controller: talk.controller,
  } as const;
  return { login: { session, refreshToken: undefined, endsAt: sentAt + lifeMs } };
}

/** By the length first: the controller's clock is not ours. The shortest one a controller can set is a minute. */
function lifeOf(data: Record<string, unknown>, wall: number): number {
  const seconds = data.expirationSeconds;
  if (typeof seconds === 'number' && seconds > 0) return seconds * 1000;
  const until = Date.parse(textOf(data, 'expiresAt') ?? '');
  return Number.isNaN(until) || until <= wall ? 60_000 : until - wall;
}

export function secondFactor(host: string): ZitiError {
  return new ZitiError('login_incomplete', `controller ${host} asks for a second factor (MFA) after the certificate`, {
    hint: 'Use an identity whose authentication policy needs the certificate only.',
  });
}
