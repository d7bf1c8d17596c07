// What both ways of logging in have in common: what they give, how requests carry it, and what we say of ourselves.

import type { Refusal } from './answers.ts';
import type { RestClient } from './rest-client.ts';
import type { ApiSession } from './types.ts';

export interface Login {
  readonly session: ApiSession;
  /** OIDC only. Works once. */
  readonly refreshToken: string | undefined;
  /** On the clock's `now`: when the session ends unless it is renewed. */
  readonly endsAt: number;
}

/** A refusal is an answer: the caller may know another way. */
export type LoginOutcome = { readonly login: Login } | { readonly refusal: Refusal };

/** One conversation with one controller. */
export interface LoginTalk {
  readonly client: RestClient;
  /** `https://host:port/edge/client/v1` */
  readonly controller: string;
  readonly now: () => number;
  readonly wall: () => number;
  readonly signal: AbortSignal | undefined;
}

export const SDK_TYPE = 'mcp-overlay';
export const SDK_VERSION = '0.1.0';

export function loginHeaders(session: ApiSession): Record<string, string> {
  return session.kind === 'legacy' ? { 'zt-session': session.token } : { authorization: `Bearer ${session.token}` };
}

export function refusalIn(outcome: LoginOutcome): Refusal | undefined {
  return 'refusal' in outcome ? outcome.refusal : undefined;
}
