// The id token of a login (OpenID Connect Core 3.1.3.7): that it answers our request, was made for us, by this controller,
// with a key it publishes. The access token is the routers' to check; this one tells who we are.

import { textOf } from '../json.ts';
import { decodeJwt, isSignedBy, type Jwt, keysFor, timeClaim } from '../jwt.ts';

export interface IdTokenExpectation {
  /** `https://host:port` that we asked. */
  readonly origin: string;
  readonly clientId: string;
  readonly nonce: string;
  readonly subject: string;
  /** JWK set, as the controller answered. */
  readonly keys: unknown;
  readonly wall: number;
}

/** Clocks of the same network that differ more have other trouble. */
const CLOCK_SKEW_MS = 5 * 60_000;

/** Who we are, or what is wrong. */
export function checkIdToken(
  text: string | undefined,
  expected: IdTokenExpectation,
): { name: string | undefined } | string {
  if (text === undefined) return 'no id token';
  let jwt: Jwt;
  try {
    jwt = decodeJwt(text);
  } catch (error) {
    return `an id token that is ${(error as Error).message}`;
  }
  const claims = { ...jwt.claims };
  const audience = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  const endsAt = timeClaim(jwt.claims, 'exp');
  if (claims.nonce !== expected.nonce) return 'the id token of another login';
  if (claims.sub !== expected.subject) return 'the id token of another identity';
  if (!audience.includes(expected.clientId)) return 'an id token for another client';
  if (!isIssuer(textOf(claims, 'iss') ?? '', expected.origin)) return 'the id token of another issuer';
  if (endsAt === undefined || endsAt + CLOCK_SKEW_MS < expected.wall) return 'an id token that has expired';
  if (!keysFor(jwt, expected.keys).some((key) => isSignedBy(jwt, key))) return 'an id token with a wrong signature';
  return { name: textOf(claims, 'name') };
}

/** Issuers come from the names in the controller's certificate, wildcards included (openziti/ziti oidc_auth/issuer.go). */
function isIssuer(iss: string, origin: string): boolean {
  try {
    const [theirs, ours] = [new URL(iss), new URL(origin)];
    if (theirs.protocol !== 'https:' || theirs.port !== ours.port || theirs.pathname !== '/oidc') return false;
    if (theirs.hostname === ours.hostname) return true;
    const [first, ...rest] = theirs.hostname.split('.');
    return first === '*' && rest.length > 1 && ours.hostname.split('.').slice(1).join('.') === rest.join('.');
  } catch {
    return false;
  }
}
