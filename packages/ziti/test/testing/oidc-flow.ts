// The OIDC login of a client, each step apart, for tests of the controller.

import { createHash, randomBytes } from 'node:crypto';
import type { TestIdentity, TestNetwork } from '../../src/testing/index.ts';
import { type Answered, ask, form } from './ask.ts';

const REDIRECT_URI = 'http://localhost:8080/auth/callback';

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly id_token: string;
}

export interface Flow {
  readonly verifier: string;
  readonly authorized: Answered;
  readonly loggedIn: Answered;
  readonly called: Answered;
  readonly code: string;
}

export async function authorize(net: TestNetwork, as: TestIdentity | undefined, verifier: string): Promise<Answered> {
  const query = new URLSearchParams({
    client_id: 'native',
    response_type: 'code',
    scope: 'openid offline_access',
    state: 'some state',
    nonce: 'some nonce',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    redirect_uri: REDIRECT_URI,
  });
  return ask(net, 'GET', `/oidc/authorize?${query}`, { as });
}

/** Everything before the tokens. */
export async function startFlow(net: TestNetwork, as: TestIdentity): Promise<Flow> {
  const verifier = randomBytes(32).toString('base64url');
  const authorized = await authorize(net, as, verifier);
  const id = /authRequestID=(.+)$/.exec(authorized.headers.location ?? '')?.[1] ?? '';
  const loggedIn = await ask(net, 'POST', '/oidc/login/cert', { as, ...form({ id, sdkType: 'test' }) });
  const called = await ask(net, 'GET', `/oidc/authorize/callback?id=${id}`, { as });
  const code = new URL(called.headers.location ?? '').searchParams.get('code') ?? '';
  return { verifier, authorized, loggedIn, called, code };
}

export function exchange(net: TestNetwork, as: TestIdentity, code: string, verifier: string): Promise<Answered> {
  const asked = { grant_type: 'authorization_code', client_id: 'native', code, code_verifier: verifier };
  return ask(net, 'POST', '/oidc/oauth/token', { as, ...form({ ...asked, redirect_uri: REDIRECT_URI }) });
}

export function refresh(net: TestNetwork, as: TestIdentity, token: string, controller = 0): Promise<Answered> {
  const asked = { grant_type: 'refresh_token', client_id: 'native', refresh_token: token };
  return ask(net, 'POST', '/oidc/oauth/token', { as, controller, ...form(asked) });
}

export async function oidcLogin(net: TestNetwork, as: TestIdentity): Promise<Tokens> {
  const { code, verifier } = await startFlow(net, as);
  return (await exchange(net, as, code, verifier)).body;
}

export function claimsOf(jwt: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
}
