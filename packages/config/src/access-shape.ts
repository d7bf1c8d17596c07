// Keys about who somebody is: tokens that this gateway makes, issuers of JWTs that it believes, files with CAs to trust.

import type { IssuerConfig, TokensConfig } from './config.ts';
import { compact } from './config.ts';
import { secretReference } from './secret-shape.ts';
import { choice, field, list, object, parsed, text } from './shape.ts';
import { LIFETIME_FORM, parseLifetime } from './units.ts';

const TRUST_FORM = 'a path, or spiffe://DOMAIN=PATH';
const SPIFFE_FILE = /^(spiffe:\/\/[a-z0-9._-]{1,255})=(.+)$/;

export const trustFile = parsed<string>(TRUST_FORM, (value, spot, reading) => {
  if (value === '') return { refused: TRUST_FORM };
  const [, domain, file = ''] = SPIFFE_FILE.exec(value) ?? [];
  if (domain === undefined && value.startsWith('spiffe:')) return { refused: TRUST_FORM };
  const path = reading.path(domain === undefined ? value : file, spot);
  return path === undefined || domain === undefined ? path : `${domain}=${path}`;
});

export const tokensShape = object({
  key: field(
    secretReference,
    'where the private key is that tokens are made with: PEM, Ed25519, as mcp-tools key makes one',
    {
      default: 'made in the state folder, one for each share',
      example: '"file:/etc/mcp/token-key.pem"',
    },
  ),
  max_ttl: field(
    parsed<number>(LIFETIME_FORM, (value) => parseLifetime(value) ?? { refused: LIFETIME_FORM }),
    'the longest life a token can be given',
    { default: '30d', example: '7d' },
  ),
});

const ALGORITHMS = ['EdDSA', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'] as const;
const URL_FORM = 'an https:// URL (http:// on this machine), or the path of a file';
const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])$/;

const keysFrom = parsed<string>(URL_FORM, (value, spot, reading) => {
  if (value === '') return { refused: URL_FORM };
  if (!/^[a-z]+:\/\//i.test(value)) return reading.path(value, spot);
  if (!URL.canParse(value)) return { refused: URL_FORM };
  const { protocol, hostname } = new URL(value);
  const fine = protocol === 'https:' || (protocol === 'http:' && LOOPBACK.test(hostname));
  return fine ? value : { refused: URL_FORM, hint: 'anybody on the way could put in keys of his own' };
});

const claim = text({ form: 'the name of a claim', pattern: /^[\x21-\x7e]{1,100}$/ });

export const issuersShape = list(
  object({
    issuer: field(
      text({ form: 'a URL', pattern: /^https?:\/\/[^#\s]+$/ }),
      'as its tokens have it (iss), to the letter',
      {
        required: true,
      },
    ),
    audience: field(text({ form: 'text' }), 'whom its tokens have to be made for (aud)', {
      required: true,
    }),
    jwks: field(keysFrom, 'its public keys (JWKS): a file, read again when it changes, or a URL', {
      required: true,
    }),
    algorithms: field(list(choice(ALGORITHMS)), 'how its tokens may be signed', { default: '[EdDSA, ES256, RS256]' }),
    groups: field(claim, 'the claim that holds groups, for group:… in identities', {
      default: 'no groups',
    }),
    name: field(claim, 'the claim that is shown as the name', { default: 'the subject' }),
  }),
);

type Raw<S> = S extends { read(...args: never[]): infer T | undefined } ? T : never;

export function buildTokens(raw: Raw<typeof tokensShape> | undefined): TokensConfig {
  return compact({ key: raw?.key, maxTtlMs: raw?.max_ttl });
}

export function buildIssuers(raw: Raw<typeof issuersShape> | undefined): readonly IssuerConfig[] {
  return (raw ?? []).map(({ issuer = '', audience = '', jwks = '', algorithms, groups, name }) => ({
    issuer,
    audience,
    jwks,
    ...compact({ algorithms, groups, name }),
  }));
}
