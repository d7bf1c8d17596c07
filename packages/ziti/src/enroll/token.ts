// The one-time token that a controller's owner hands out: a JWT that names the controller, the identity and a secret.
// Claims: openziti/sdk-golang ziti/token.go. Read before it is verified - it names who can verify it - so nothing in it is
// believed but where to ask.

import { controllerUrl } from '../controller-url.ts';
import { ZitiError } from '../errors.ts';
import { textOf } from '../json.ts';
import { decodeJwt, type Jwt, timeClaim } from '../jwt.ts';

export interface EnrollmentToken {
  /** Base URL of the client API of the controller that made it. */
  readonly controller: string;
  readonly identityId: string;
  /** Works once. Never logged. */
  readonly secret: string;
  readonly expiresAt: Date;
  readonly jwt: Jwt;
}

const OTHER_METHODS: Readonly<Record<string, string>> = {
  ottca: 'it needs a certificate that your own CA signed',
  ca: 'it needs a certificate that your own CA signed',
  updb: 'it is for a user name and a password',
  erott: 'it is for an edge router',
};

/** Checks what can be checked alone: form, method, time. */
export function parseEnrollmentToken(text: string, now: number): EnrollmentToken {
  const jwt = jwtOf(text.trim());
  const claims = { ...jwt.claims };
  const method = textOf(claims, 'em');
  if (method === undefined) throw invalid('is no enrollment token: it names no enrollment method');
  if (method !== 'ott') {
    const why = OTHER_METHODS[method] ?? 'it is of a kind that this client does not know';
    throw new ZitiError('enroll_method_unsupported', `the token's method is "${method.slice(0, 32)}": ${why}`, {
      hint: 'Ask for a one-time token (ziti edge create identity NAME -o NAME.jwt).',
    });
  }
  const controller = controllerUrl(textOf(claims, 'iss') ?? '');
  const [identityId, secret, endsAt] = [textOf(claims, 'sub'), textOf(claims, 'jti'), timeClaim(claims, 'exp')];
  if (controller === undefined) throw invalid('names no https controller');
  if (identityId === undefined || secret === undefined || endsAt === undefined) throw invalid('lacks sub, jti or exp');
  const expiresAt = new Date(Math.min(endsAt, 8.64e15));
  if (endsAt <= now) throw expired(`the token expired on ${expiresAt.toISOString()}`);
  return { controller, identityId, secret, expiresAt, jwt };
}

export function expired(message: string): ZitiError {
  return new ZitiError('enroll_token_expired', message, {
    hint: 'Ask for a new token. If it is new, is the clock of this machine right?',
  });
}

function jwtOf(text: string): Jwt {
  if (text.startsWith('{')) throw invalid('is JSON: perhaps an identity file, which needs no enrollment');
  try {
    return decodeJwt(text);
  } catch (error) {
    throw invalid(`is ${(error as Error).message}`);
  }
}

function invalid(what: string): ZitiError {
  return new ZitiError('enroll_token_invalid', `the token ${what}`, {
    hint: 'Give the whole content of the .jwt file, three parts separated by dots.',
  });
}
