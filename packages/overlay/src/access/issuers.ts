// Issuers of JWTs that a gateway believes. What reads them (./jwt.ts, with `jose`) is loaded where there is one.

import type { Principal } from '../proof/principal.ts';

/** What providers use. */
export const DEFAULT_ALGORITHMS: readonly string[] = ['EdDSA', 'ES256', 'RS256'];

export interface IssuerSettings {
  /** As `iss` has it, to the letter. */
  readonly issuer: string;
  /** As `aud` has it: tokens for others are no good here. */
  readonly audience: string;
  /** Absolute path, or URL. */
  readonly jwks: string;
  readonly algorithms?: readonly string[] | undefined;
  /** Claims that hold groups, and the name. Absent: none counts; the name is the subject. */
  readonly groups?: string | undefined;
  readonly name?: string | undefined;
}

export interface JudgedJwt {
  readonly who: Pick<Principal, 'id' | 'name' | 'groups' | 'expiresAt' | 'stamp'>;
  again(now: number): Promise<void>;
}

export interface Issuers {
  judge(text: string, now: number): Promise<JudgedJwt>;
}

export interface IssuersOptions {
  readonly issuers: readonly IssuerSettings[];
  readonly log: { warn(fields: object, event: string): void };
  readonly now?: () => number;
}

/** Rejects `jwt_keys_unavailable` for a file of keys that cannot be read. */
export async function openIssuers(options: IssuersOptions): Promise<Issuers> {
  const { openJwtIssuers } = await import('./jwt.ts');
  return openJwtIssuers(options);
}
