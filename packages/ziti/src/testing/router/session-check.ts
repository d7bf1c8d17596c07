// Which service session a token of Connect or Bind stands for, and why not (ziti controller/handler_edge_ctrl/common.go:
// loadFromBolt, loadFromTokens, checkSessionType, verifyEdgeRouterAccess, loadService, in this order).

import { readJwt } from '../pki/jwt.ts';
import { servedBy } from '../state/access.ts';
import { JWT_PREFIX, loginOf } from '../state/login.ts';
import type { NetworkState } from '../state/network-state.ts';
import type { ServiceSession } from '../state/records.ts';
import type { RouterChannel } from './channel.ts';
import * as refusals from './refusal.ts';

/** Throws a Refusal. */
export function serviceSessionOf(
  state: NetworkState,
  channel: RouterChannel,
  token: string,
  type: 'Dial' | 'Bind',
  router: string,
): ServiceSession {
  const session = token.startsWith(JWT_PREFIX) ? jwtSession(state, channel, token) : legacySession(state, token);
  if (session.type !== type) throw refusals.wrongSessionType();
  if (session.apiSession.identity !== channel.apiSession?.identity) throw refusals.invalidSession();
  if (!servedBy(session.service, router)) throw refusals.invalidRouter();
  if (!state.services.has(session.service.id)) throw refusals.invalidService();
  return session;
}

function legacySession(state: NetworkState, token: string): ServiceSession {
  const session = state.serviceSessions.get(token);
  if (!session || session.ended) throw refusals.invalidSession();
  return session;
}

function jwtSession(state: NetworkState, channel: RouterChannel, token: string): ServiceSession {
  const own = channel.apiSession;
  if (own?.kind !== 'oidc') throw refusals.invalidSession();
  const login = loginOf(state, channel.accessToken);
  if ('refused' in login) {
    if (login.refused === 'identity-gone') throw refusals.noSuchIdentity(own.identity.id);
    throw refusals.tokenExpired();
  }
  const claims = readJwt(token, state.jwtKeys);
  if (claims?.z_t !== 's') throw refusals.invalidSession();
  if (claims.z_asid !== own.id) throw refusals.otherLogin(own.id, String(claims.z_asid));
  const session = state.serviceSessions.get(token);
  if (!session || session.ended) throw refusals.invalidSession();
  return session;
}
