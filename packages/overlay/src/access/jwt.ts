// JWTs of configured issuers (RFC 7519, OpenID Connect): who they name, and whether that still stands. The algorithm is one
// of a fixed list, never what the token says alone; keys are those of the token's own issuer and of nobody else.

import { createHash } from 'node:crypto';
import { type CryptoKey, errors, exportJWK, type JWTPayload, jwtVerify, type KeyObject } from 'jose';
import { OverlayError } from '../errors.ts';
import { ACCESS_LIMITS, PROOF_LIMITS } from '../limits.ts';
import { isPrincipalId } from '../proof/principal.ts';
import {
  DEFAULT_ALGORITHMS,
  type IssuerSettings,
  type Issuers,
  type IssuersOptions,
  type JudgedJwt,
} from './issuers.ts';
import { type KeySource, openKeySource, printOf } from './jwks.ts';

const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Rejects `jwt_keys_unavailable` for a file of keys that cannot be read. */
export async function openJwtIssuers({ issuers, log, now = Date.now }: IssuersOptions): Promise<Issuers> {
  const known = await Promise.all(
    issuers.map(async (settings) => ({ settings, keys: await openKeySource({ jwks: settings.jwks, log, now }) })),
  );
  return {
    judge: async (text, at) => {
      if (text.length > ACCESS_LIMITS.jwtBytes) {
        throw new OverlayError('access_too_large', `the token has more than ${ACCESS_LIMITS.jwtBytes} characters`);
      }
      const from = issuerOf(text);
      const issuer = known.find(({ settings }) => settings.issuer === from);
      if (!issuer) {
        throw new OverlayError('jwt_issuer', 'the token is from no issuer that is believed here', {
          hint: 'its operator names issuers in the configuration',
        });
      }
      const { payload, print } = await verified(text, issuer.settings, issuer.keys, at);
      return judgedBy(payload, print, issuer.settings, issuer.keys, text);
    },
  };
}

function judgedBy(
  payload: JWTPayload,
  print: string,
  settings: IssuerSettings,
  keys: KeySource,
  text: string,
): JudgedJwt {
  const { sub, exp = 0 } = payload;
  const id = `jwt:${settings.issuer}#${sub}`;
  if (typeof sub !== 'string' || sub === '' || !isPrincipalId(id)) throw claims('names nobody (sub)');
  const expiresAt = exp * 1000 + PROOF_LIMITS.clockSkewMs;
  const name = settings.name === undefined ? undefined : payload[settings.name];
  return {
    who: {
      id,
      name:
        typeof name === 'string' && name !== '' && !UNSEEN.test(name) ? name.slice(0, ACCESS_LIMITS.nameChars) : sub,
      groups: settings.groups === undefined ? [] : groupsOf(payload[settings.groups]),
      expiresAt,
      stamp: createHash('sha256').update(text).digest('base64url'),
    },
    again: async (now) => {
      if (now >= expiresAt) throw expired();
      if (!(await keys.current()).prints.has(print)) {
        throw new OverlayError('jwt_key_unknown', 'the issuer has taken back the key of the token');
      }
    },
  };
}

async function verified(
  text: string,
  { issuer, audience, algorithms = DEFAULT_ALGORITHMS }: IssuerSettings,
  keys: KeySource,
  now: number,
): Promise<{ payload: JWTPayload; print: string }> {
  const check = async ({ find }: Awaited<ReturnType<KeySource['current']>>) => {
    const { payload, key } = await jwtVerify(text, find, {
      issuer,
      audience,
      algorithms: [...algorithms],
      clockTolerance: PROOF_LIMITS.clockSkewMs / 1000,
      currentDate: new Date(now),
      requiredClaims: ['exp', 'sub'],
    });
    return { payload, print: printOf(await exportJWK(key as CryptoKey | KeyObject)) };
  };
  try {
    return await check(await keys.current());
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw refusal(error);
  }
  try {
    return await check(await keys.newer());
  } catch (error) {
    throw refusal(error);
  }
}

/** Read before it is believed, to find whose keys to look at. */
function issuerOf(text: string): unknown {
  const [header, payload, signature, ...more] = text.split('.');
  if (!header || !payload || signature === undefined || more.length > 0) throw notOne();
  try {
    return (JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { iss?: unknown }).iss;
  } catch {
    throw notOne();
  }
}

/** In our words: those of the library may quote the token. */
function refusal(error: unknown): unknown {
  if (error instanceof OverlayError) return error;
  if (error instanceof errors.JWTExpired) return expired();
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim } = error;
    if (claim === 'aud') return new OverlayError('jwt_audience', 'the token was made for somebody else (aud)');
    if (claim === 'nbf') return new OverlayError('jwt_not_yet_valid', 'the token is not good yet (nbf)');
    return claims(`says nothing that can be used under ${/^[a-z_]{1,20}$/.test(claim) ? claim : 'a claim'}`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return new OverlayError('jwt_algorithm', 'the token is signed in a way that is not taken from its issuer');
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return new OverlayError('jwt_signature', 'the signature of the token is not that of its issuer');
  }
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) {
    return new OverlayError('jwt_key_unknown', 'the issuer has no key such as the token names');
  }
  if (error instanceof errors.JOSEError) return notOne();
  return error;
}

function expired(): OverlayError {
  return new OverlayError('jwt_expired', 'the token is over (exp)', { hint: 'get another one from its issuer' });
}

function claims(why: string): OverlayError {
  return new OverlayError('jwt_claims', `the token ${why}`);
}

function notOne(): OverlayError {
  return new OverlayError('jwt_malformed', 'what was sent is neither an access token nor a JWT');
}

/** A list, or one text. What cannot be shown no rule can name; what is too much refuses, for a rule may deny a group. */
function groupsOf(value: unknown): readonly string[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  const texts = all.filter((one): one is string => typeof one === 'string' && one !== '' && !UNSEEN.test(one));
  const { groups, groupChars } = ACCESS_LIMITS;
  if (texts.length > groups || texts.some(({ length }) => length > groupChars)) throw claims('has too many groups');
  return texts;
}
