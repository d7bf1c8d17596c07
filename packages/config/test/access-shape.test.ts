// Keys about who somebody is: what they become, and what is refused in which words.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '../src/errors.ts';
import { parseGatewayConfig } from '../src/parse.ts';
import { parseLifetime } from '../src/units.ts';

const BACKENDS = 'backends: [{ id: a, transport: { type: stdio, command: x } }]';

function read(lines: string) {
  return parseGatewayConfig(`${BACKENDS}\n${lines}`, { file: '/etc/g.yml', env: { HOME: '/h' }, cwd: '/' }).config;
}

function refusal(lines: string): string {
  try {
    read(lines);
    return 'fine';
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
}

test('without these keys nothing is there', () => {
  const { tokens, issuers, trust } = read('');
  assert.deepEqual([tokens, issuers, trust], [{}, [], []]);
});

test('tokens, issuers and trust', () => {
  const { tokens, issuers, trust } = read(`
tokens: { key: "file:key.pem", max_ttl: 7d }
trust: [ca.pem, "spiffe://corp.example=b.json", ~/c.pem]
issuers:
  - { issuer: "https://idp", audience: hall, jwks: keys.json }
  - { issuer: "https://two", audience: hall, jwks: "https://two/keys", algorithms: [ES256], groups: g, name: n }
`);
  assert.equal(tokens.maxTtlMs, 7 * 24 * 3600 * 1000);
  assert.equal(tokens.key?.text, 'file:key.pem');
  assert.deepEqual(trust, ['/etc/ca.pem', 'spiffe://corp.example=/etc/b.json', '/h/c.pem']);
  assert.deepEqual(issuers, [
    { issuer: 'https://idp', audience: 'hall', jwks: '/etc/keys.json' },
    {
      issuer: 'https://two',
      audience: 'hall',
      jwks: 'https://two/keys',
      algorithms: ['ES256'],
      groups: 'g',
      name: 'n',
    },
  ]);
});

test('a token to come with stands at a share, as a reference', () => {
  const text = `backends: [{ id: a, transport: { type: share, share_token: box, access: "file:/t", access_key: "env:K" } }]`;
  const { config } = parseGatewayConfig(text, { file: '/g.yml', env: {}, cwd: '/' });
  const [{ transport } = assert.fail()] = config.backends;
  assert.deepEqual(transport.type === 'share' && [transport.access?.text, transport.accessKey?.text], [
    'file:/t',
    'env:K',
  ]);
  const written = text.replace('file:/t', 'mcpa1_SECRET');
  assert.throws(
    () => parseGatewayConfig(written, { file: '/g.yml', env: {}, cwd: '/' }),
    (error: Error) => /a reference to a secret/.test(error.message) && !error.message.includes('SECRET'),
  );
});

test('what cannot be meant', () => {
  const issuer = (more: string): string => `issuers: [{ issuer: "https://idp", audience: hall, jwks: k, ${more} }]`;
  assert.match(refusal('tokens: { max_ttl: 400d }'), /a lifetime/);
  assert.match(refusal('tokens: { key: plain }'), /a reference to a secret/);
  assert.match(refusal('trust: ["spiffe://corp"]'), /a path, or spiffe:/);
  assert.match(refusal('trust: ["spiffe://CORP=x"]'), /a path, or spiffe:/);
  assert.match(refusal('issuers: [{ issuer: "https://idp", jwks: k }]'), /audience/);
  assert.match(refusal(issuer('algorithms: [HS256]')), /algorithms/);
  assert.match(refusal(issuer('algorithms: [none]')), /algorithms/);
  for (const jwks of ['http://idp/keys', 'ftp://x', 'https://']) {
    const text = `issuers: [{ issuer: "https://idp", audience: hall, jwks: "${jwks}" }]`;
    assert.match(refusal(text), /an https:\/\/ URL/, jwks);
  }
  const loopback = 'issuers: [{ issuer: "https://idp", audience: hall, jwks: "http://127.0.0.1:1/k" }]';
  assert.equal(refusal(loopback), 'fine');
  assert.match(refusal('issuers: [{ issuer: "https://idp#x", audience: hall, jwks: k }]'), /a URL/);
});

test('who may be granted: also tokens and people of issuers', () => {
  const ids = ['token:0123456789abcdef01234567', 'jwt:https://idp#bob'];
  assert.deepEqual(read(`share: { grants: ${JSON.stringify(ids)} }`).share.grants, ids);
  assert.match(refusal('share: { grants: ["token:bob"] }'), /a principal id/);
});

test('lifetimes', () => {
  const rows: [string, number | undefined][] = [
    ['8h', 8 * 3_600_000],
    ['1d12h', 36 * 3_600_000],
    ['90s', 90_000],
    ['366d', 366 * 86_400_000],
    ['367d', undefined],
    ['0s', undefined],
    ['', undefined],
    ['8', undefined],
    ['1.5h', undefined],
    ['8h1d', undefined],
  ];
  for (const [text, ms] of rows) assert.equal(parseLifetime(text), ms, text);
});
