// The OIDC login with our certificate: authorization code with PKCE (RFC 7636), every step on the controller where it began
// - it keeps the request in memory - whatever address a redirect names. openziti/ziti controller/oidc_auth,
// openziti/sdk-golang edge-apis/clients_shared.go. Nothing listens at the redirect address: we read it and stop.

import { createHash, randomBytes } from 'node:crypto';
import { arch, platform } from 'node:os';
import { controllerOrigin } from '../controller-url.ts';
import { ZitiError } from '../errors.ts';
import { isRecord, textOf } from '../json.ts';
import { decodeJwt } from '../jwt.ts';
import { invalidAnswer, jsonOf, quoted, type Refusal, refusalOf } from './answers.ts';
import { checkIdToken } from './id-token.ts';
import { secondFactor } from './legacy-login.ts';
import { type Login, type LoginOutcome, type LoginTalk, SDK_TYPE, SDK_VERSION } from './login.ts';
import type { RestAnswer, RestRequest } from './rest-client.ts';

/** Registered with every controller (oidc_auth/provider.go), as is the address. */
export const CLIENT_ID = 'native';
const REDIRECT_URI = 'http://localhost:8080/auth/callback';
/** Login page, callback, our address: three. */
const MAX_REDIRECTS = 6;

type Step = { readonly refusal: Refusal } | { readonly params: URLSearchParams };

export async function loginOidc(
  talk: LoginTalk,
  random = randomBytes as (size: number) => Buffer,
): Promise<LoginOutcome> {
  const { host } = new URL(talk.controller);
  const [verifier = '', state = '', nonce = ''] = [32, 16, 16].map((size) => random(size).toString('base64url'));

  const begun = await begin(talk, {
    state,
    nonce,
    challenge: createHash('sha256').update(verifier).digest('base64url'),
  });
  if ('refusal' in begun) return begun;
  const id = begun.params.get('authRequestID') ?? begun.params.get('id');
  if (id === null) throw invalidAnswer(host, 'a login without request id');

  const back = await proveIdentity(talk, id);
  if ('refusal' in back) return back;
  if (back.params.get('state') !== state) throw untrusted(host, 'the state of another login');
  const code = back.params.get('code');
  if (code === null) throw invalidAnswer(host, 'a login without code');

  const sentAt = talk.now();
  const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT_URI };
  const [tokens, keys] = await Promise.all([
    post(talk, '/oidc/oauth/token', { client_id: CLIENT_ID, ...form }),
    get(talk, '/oidc/keys'),
  ]);
  if (tokens.status !== 200) return { refusal: refusalOf(tokens) };
  if (keys.status !== 200) return { refusal: refusalOf(keys) };
  const login = loginOf(talk, tokens, sentAt, undefined);
  const idToken = textOf(bodyOf(tokens), 'id_token');
  const wrong = checkIdToken(idToken, {
    origin: controllerOrigin(talk.controller),
    clientId: CLIENT_ID,
    nonce,
    subject: login.session.identityId,
    keys: jsonOf(keys.body),
    wall: talk.wall(),
  });
  if (typeof wrong === 'string') throw untrusted(host, wrong);
  return { login: { ...login, session: { ...login.session, identityName: wrong.name ?? login.session.identityId } } };
}

/** The token rotates: the one sent is dead afterwards, whether or not the answer arrives. */
export async function refreshOidc(talk: LoginTalk, old: Login): Promise<LoginOutcome> {
  const sentAt = talk.now();
  const form = { grant_type: 'refresh_token', client_id: CLIENT_ID, refresh_token: old.refreshToken ?? '' };
  const tokens = await post(talk, '/oidc/oauth/token', form);
  return tokens.status === 200 ? { login: loginOf(talk, tokens, sentAt, old) } : { refusal: refusalOf(tokens) };
}

/** RFC 7009. The access token of the same login has the same id and ends with it. */
export async function logoutOidc(talk: LoginTalk, { refreshToken }: Login, timeoutMs: number): Promise<void> {
  if (refreshToken === undefined) return;
  const form = { token: refreshToken, token_type_hint: 'refresh_token', client_id: CLIENT_ID };
  await post(talk, '/oidc/revoke', form, timeoutMs);
}

async function begin(
  talk: LoginTalk,
  { state, nonce, challenge }: { state: string; nonce: string; challenge: string },
): Promise<Step> {
  const query = new URLSearchParams({
    client_id: CLIENT_ID,
    response_type: 'code',
    scope: 'openid offline_access',
    state,
    nonce,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    redirect_uri: REDIRECT_URI,
  });
  const answer = await get(talk, `/oidc/authorize?${query}`);
  const target = redirectOf(answer);
  if (target === undefined) return { refusal: refusalOf(answer) };
  return refusedBy(target) ?? { params: target.searchParams };
}

/** The certificate of the TLS connection is the proof; the form only says which request it is for. */
async function proveIdentity(talk: LoginTalk, id: string): Promise<Step> {
  const { host } = new URL(talk.controller);
  const about = { sdkType: SDK_TYPE, sdkVersion: SDK_VERSION, envOs: platform(), envArch: arch() };
  let answer = await post(talk, '/oidc/login/cert', { id, ...about });
  if (answer.status === 200) throw secondFactor(host);
  for (let redirects = 0; redirects < MAX_REDIRECTS; redirects++) {
    const target = redirectOf(answer);
    if (target === undefined) return { refusal: refusalOf(answer) };
    if (target.href.startsWith(REDIRECT_URI)) return refusedBy(target) ?? { params: target.searchParams };
    if (!target.pathname.startsWith('/oidc/')) throw untrusted(host, 'a redirect that leaves the login');
    // On this controller, whatever host it names: an alias of its own, or somebody else.
    answer = await get(talk, target.pathname + target.search);
  }
  throw invalidAnswer(host, 'a login that redirects without end');
}

function loginOf(talk: LoginTalk, answer: RestAnswer, sentAt: number, old: Login | undefined): Login {
  const { host } = new URL(talk.controller);
  const body = bodyOf(answer);
  const token = textOf(body, 'access_token');
  const claims = claimsOf(token);
  const [id, identityId] = [textOf(claims, 'z_asid'), textOf(claims, 'sub')];
  if (token === undefined || id === undefined || identityId === undefined) {
    throw invalidAnswer(host, 'an access token without subject or session');
  }
  if (old !== undefined && old.session.identityId !== identityId)
    throw untrusted(host, 'the token of another identity');
  const seconds = typeof body.expires_in === 'number' && body.expires_in > 0 ? body.expires_in : lifeOf(claims);
  return {
    session: {
      kind: 'oidc',
      token,
      id,
      identityId,
      identityName: old?.session.identityName ?? identityId,
      expiresAt: new Date(talk.wall() + seconds * 1000),
      controller: talk.controller,
    },
    refreshToken: textOf(body, 'refresh_token') ?? old?.refreshToken,
    endsAt: sentAt + seconds * 1000,
  };
}

function claimsOf(token: string | undefined): Record<string, unknown> {
  try {
    return token === undefined ? {} : { ...decodeJwt(token).claims };
  } catch {
    return {};
  }
}

/** By the controller's clock alone. A minute when it says nothing. */
function lifeOf({ exp, iat }: Record<string, unknown>): number {
  return typeof exp === 'number' && typeof iat === 'number' && exp > iat ? exp - iat : 60;
}

function redirectOf({ status, headers }: RestAnswer): URL | undefined {
  if (status < 301 || status > 308 || headers.location === undefined) return undefined;
  try {
    return new URL(headers.location, 'https://controller.invalid/oidc/');
  } catch {
    return undefined;
  }
}

/** OAuth refuses by a redirect, too (RFC 6749 4.1.2.1). */
function refusedBy({ searchParams }: URL): { refusal: Refusal } | undefined {
  const code = searchParams.get('error');
  if (code === null) return undefined;
  const message = quoted(searchParams.get('error_description') ?? '');
  return { refusal: { status: 401, code: quoted(code), message, field: undefined, retryAfterMs: undefined } };
}

function bodyOf(answer: RestAnswer): Record<string, unknown> {
  const body = jsonOf(answer.body);
  return isRecord(body) ? body : {};
}

function get(talk: LoginTalk, path: string): Promise<RestAnswer> {
  return talk.client.send({ method: 'GET', url: controllerOrigin(talk.controller) + path, signal: talk.signal });
}

function post(talk: LoginTalk, path: string, form: Record<string, string>, timeoutMs?: number): Promise<RestAnswer> {
  const request: RestRequest = {
    method: 'POST',
    url: controllerOrigin(talk.controller) + path,
    body: { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(form).toString() },
    signal: talk.signal,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  return talk.client.send(request);
}

function untrusted(host: string, what: string): ZitiError {
  return new ZitiError('login_untrusted', `controller ${host} answered an OIDC login with ${what}`, {
    hint: 'Somebody may be in between, or the clocks differ. The certificate login does not depend on it: login "legacy".',
  });
}
