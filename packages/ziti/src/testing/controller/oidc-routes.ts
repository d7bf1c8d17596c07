// The OIDC login: authorisation code with PKCE, a certificate as the proof, tokens that are refreshed and rotate (ziti
// controller/oidc_auth). Authorisation requests live in the memory of the controller that was asked.

import { createHash, randomBytes } from 'node:crypto';
import { readJwt, signJwt } from '../pki/jwt.ts';
import { newToken } from '../state/network-state.ts';
import type { ApiSession } from '../state/records.ts';
import type { Answer } from './answer.ts';
import type { Controller } from './controller.ts';
import { type ApiRequest, formBody, jsonBody, shownIdentity } from './request.ts';

interface AuthRequest {
  readonly state: string;
  readonly nonce: string;
  readonly challenge: string;
  readonly redirectUri: string;
  session: ApiSession | undefined;
}

const CLIENTS = ['native', 'openziti'];
const REDIRECT_URI = /^(openziti:\/\/auth\/callback|https?:\/\/(localhost|127\.0\.0\.1):\d+\/auth\/callback)$/;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

export class OidcProvider {
  readonly #controller: Controller;
  readonly #requests = new Map<string, AuthRequest>();
  readonly #codes = new Map<string, AuthRequest>();
  /** `jti` of refresh tokens that were used. */
  readonly #used: Set<string>;

  /** `used` is shared by all controllers of a network. */
  constructor(controller: Controller, used: Set<string>) {
    this.#controller = controller;
    this.#used = used;
  }

  authorize(request: ApiRequest): Answer {
    const { query } = request;
    if (!CLIENTS.includes(query.get('client_id') ?? '')) return plain(400, 'unable to retrieve client by id');
    const redirectUri = query.get('redirect_uri') ?? '';
    if (!REDIRECT_URI.test(redirectUri))
      return plain(400, 'The requested redirect_uri is missing in the client configuration');
    if (query.get('code_challenge_method') !== 'S256') return plain(400, 'code_challenge_method must be S256');
    const id = newToken();
    this.#requests.set(id, {
      state: query.get('state') ?? '',
      nonce: query.get('nonce') ?? '',
      challenge: query.get('code_challenge') ?? '',
      redirectUri,
      session: undefined,
    });
    const way = request.fingerprints.length > 0 || query.get('method') === 'cert' ? 'cert' : 'username';
    return found(`/oidc/login/${way}?authRequestID=${id}`);
  }

  login(request: ApiRequest): Answer {
    const json = request.headers['content-type']?.startsWith('application/json');
    const form = json ? undefined : formBody(request);
    const id = form?.get('id') ?? (json ? String(jsonBody(request).id) : '');
    const asked = this.#requests.get(id);
    const identity = shownIdentity(this.#controller.state, request);
    if (!asked || !identity) return plain(401, 'The authentication request failed');
    const { state } = this.#controller;
    asked.session = {
      kind: 'oidc',
      id: newToken(),
      identity,
      controller: this.#controller.index,
      createdAt: new Date(),
      configTypes: form?.getAll('configTypes') ?? [],
      fingerprints: request.fingerprints,
      token: '',
      expiresAt: 0,
      ended: false,
    };
    state.apiSessions.set(asked.session.id, asked.session);
    state.changed();
    return found(`${this.#controller.url}/oidc/authorize/callback?id=${id}`);
  }

  callback(request: ApiRequest): Answer {
    const id = request.query.get('id') ?? '';
    const asked = this.#requests.get(id);
    if (!asked?.session) return plain(400, 'authentication request is not done');
    this.#requests.delete(id);
    const code = randomBytes(48).toString('base64url');
    this.#codes.set(code, asked);
    return found(`${asked.redirectUri}?code=${code}&state=${encodeURIComponent(asked.state)}`);
  }

  token(request: ApiRequest): Answer {
    const form = formBody(request);
    const grant = form.get('grant_type');
    if (grant === 'authorization_code') return this.#exchangeCode(form);
    if (grant === 'refresh_token') return this.#refresh(form.get('refresh_token') ?? '');
    if (grant === EXCHANGE) return this.#refresh(form.get('subject_token') ?? '');
    return oidcError('unsupported_grant_type', `${grant} not supported`);
  }

  keys(): Answer {
    const keys = this.#controller.state.jwtKeys.map(({ id, publicKey }) => ({
      use: 'sig',
      kid: id,
      alg: 'ES256',
      ...publicKey.export({ format: 'jwk' }),
    }));
    return { status: 200, body: { keys } };
  }

  discovery(): Answer {
    const base = `${this.#controller.url}/oidc`;
    const body = {
      issuer: base,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/oauth/token`,
      jwks_uri: `${base}/keys`,
      response_types_supported: ['code'],
      grant_types_supported: ['authorization_code', 'refresh_token', EXCHANGE],
      code_challenge_methods_supported: ['S256'],
    };
    return { status: 200, body };
  }

  #exchangeCode(form: URLSearchParams): Answer {
    const code = form.get('code') ?? '';
    const asked = this.#codes.get(code);
    if (!asked?.session) return oidcError('invalid_grant', 'invalid code');
    this.#codes.delete(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (challenge !== asked.challenge) return oidcError('invalid_grant', 'invalid code challenge');
    if (form.get('redirect_uri') !== asked.redirectUri)
      return oidcError('invalid_grant', 'redirect_uri does not match');
    return this.#tokens(asked.session, { nonce: asked.nonce }, asked.state);
  }

  #refresh(token: string): Answer {
    const { state } = this.#controller;
    const claims = readJwt(token, state.jwtKeys);
    const session = state.apiSessions.get(String(claims?.z_asid));
    const old = claims?.z_t !== 'r' || Number(claims?.exp) * 1000 <= Date.now();
    if (old || !session || session.ended || !state.identities.has(session.identity.id)) {
      return oidcError('invalid_grant', 'invalid refresh token');
    }
    const jti = String(claims?.jti);
    if (this.#used.has(jti)) {
      return oidcError('server_error', `an entity of type revocation already exists with id ${jti}`);
    }
    this.#used.add(jti);
    return this.#tokens(session, {}, undefined);
  }

  #tokens(session: ApiSession, extra: Record<string, unknown>, state: string | undefined): Answer {
    const { key, url } = this.#controller;
    const { accessTokenMs, refreshTokenMs } = this.#controller.state.timing;
    const now = Date.now();
    const seconds = (at: number): number => Math.floor(at / 1000);
    const common = { aud: ['native'], iat: seconds(now), iss: `${url}/oidc`, sub: session.identity.id };
    const claims = {
      ...common,
      jti: newToken(),
      nbf: seconds(now),
      scopes: ['openid', 'offline_access'],
      z_aid: 'native',
      z_asid: session.id,
      z_cfs: session.fingerprints,
    };
    // Whole seconds as always, unless a test wants a life shorter than that.
    const end = (lifeMs: number): number => (lifeMs < 10_000 ? (now + lifeMs) / 1000 : seconds(now + lifeMs));
    session.token = signJwt({ ...claims, exp: end(accessTokenMs), z_t: 'a' }, key);
    session.expiresAt = now + accessTokenMs;
    const body = {
      access_token: session.token,
      refresh_token: signJwt({ ...claims, exp: end(refreshTokenMs), z_t: 'r' }, key),
      id_token: signJwt({ ...common, ...extra, name: session.identity.name, exp: end(accessTokenMs) }, key),
      token_type: 'Bearer',
      expires_in: Math.max(0, seconds(accessTokenMs) - 1),
      ...(state === undefined ? {} : { state }),
    };
    return { status: 200, body };
  }
}

function found(location: string): Answer {
  return { status: 302, headers: { location, 'content-type': 'text/html; charset=utf-8' }, body: '' };
}

function plain(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` };
}

function oidcError(error: string, description: string): Answer {
  return { status: 400, body: { error, error_description: description } };
}
