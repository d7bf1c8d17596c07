// Which API session a token stands for, and whether it still holds: asked by controllers and by routers.

import { readJwt } from '../pki/jwt.ts';
import type { NetworkState } from './network-state.ts';
import type { ApiSession } from './records.ts';

export type Login =
  | { readonly session: ApiSession; readonly expiresAt: number }
  | { readonly refused: 'unknown' | 'expired' | 'malformed' | 'identity-gone' };

/** JWTs begin so; everything else is a legacy token (ziti controller/oidc_auth, JwtTokenPrefix). */
export const JWT_PREFIX = 'ey';

export function loginOf(state: NetworkState, token: string, now = Date.now()): Login {
  return token.startsWith(JWT_PREFIX) ? jwtLogin(state, token, now) : legacyLogin(state, token, now);
}

function legacyLogin(state: NetworkState, token: string, now: number): Login {
  const session = [...state.apiSessions.values()].find((known) => known.kind === 'legacy' && known.token === token);
  if (!session || session.ended) return { refused: 'unknown' };
  if (session.expiresAt > now) return { session, expiresAt: session.expiresAt };
  state.endApiSession(session);
  return { refused: 'expired' };
}

function jwtLogin(state: NetworkState, token: string, now: number): Login {
  const claims = readJwt(token, state.jwtKeys);
  if (claims?.z_t !== 'a' || typeof claims.exp !== 'number') return { refused: 'malformed' };
  const session = state.apiSessions.get(String(claims.z_asid));
  if (!session || session.ended) return { refused: 'unknown' };
  if (!state.identities.has(session.identity.id)) return { refused: 'identity-gone' };
  return claims.exp * 1000 > now ? { session, expiresAt: claims.exp * 1000 } : { refused: 'expired' };
}

/** Activity lengthens a legacy login. */
export function touch(state: NetworkState, session: ApiSession): void {
  if (session.kind === 'legacy') session.expiresAt = Date.now() + state.timing.apiSessionMs;
}
