// T07: JWTs of issuers. Each way to misuse one, with its own code; keys from files and URLs.

import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type IssuerSettings, type IssuersOptions, openIssuers } from '../../src/access/issuers.ts';
import { jwksRefusal } from '../../src/access/jwks.ts';
import { OverlayError } from '../../src/errors.ts';

const ISSUER = 'https://idp.example';
const NOW = Date.parse('2026-11-27T12:00:00Z');
const SECOND = NOW / 1000;
const log = { warn: () => {} };
const ec = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const key = ec();

function jwk(of: KeyObject, kid: string, more: object = {}): object {
  const { d: _d, ...open } = of.export({ format: 'jwk' });
  return { ...open, kid, ...more };
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token as an issuer makes it, of whatever claims and header. */
function jwt(claims: object = {}, header: object = {}, by: KeyObject | null = key): string {
  const head = { alg: 'ES256', kid: 'k1', ...header };
  const body = { iss: ISSUER, aud: 'gateway', sub: 'bob', exp: SECOND + 600, ...claims };
  const text = `${encode(head)}.${encode(body)}`;
  if (by === null) return `${text}.`;
  if (by.type === 'secret') return `${text}.${createHmac('sha256', by).update(text).digest('base64url')}`;
  const rsa = by.asymmetricKeyType === 'rsa';
  const options = rsa ? { key: by } : ({ key: by, dsaEncoding: 'ieee-p1363' } as const);
  return `${text}.${sign(by.asymmetricKeyType === 'ed25519' ? null : 'sha256', Buffer.from(text), options).toString('base64url')}`;
}

async function house(
  keys: readonly object[] = [jwk(key, 'k1')],
  settings: Partial<IssuerSettings> = {},
  more: Partial<IssuersOptions> = {},
) {
  const folder = await mkdtemp(join(tmpdir(), 'jwks-'));
  const file = join(folder, 'jwks.json');
  const write = async (all: readonly object[] | string): Promise<void> => {
    await writeFile(`${file}~`, typeof all === 'string' ? all : JSON.stringify({ keys: all }));
    await rename(`${file}~`, file);
  };
  await write(keys);
  const issuers = await openIssuers({
    issuers: [{ issuer: ISSUER, audience: 'gateway', jwks: file, ...settings }],
    log,
    ...more,
  });
  const code = async (text: string, now = NOW): Promise<string> => {
    try {
      await issuers.judge(text, now);
      return 'fine';
    } catch (error) {
      assert.ok(error instanceof OverlayError, String(error));
      if (text.length > 40) assert.equal(error.message.includes(text.slice(-20)), false, 'no part of it is told');
      return error.code;
    }
  };
  return { issuers, write, code, file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

test('T07: who a JWT names, its groups, its name, and when it ends', async () => {
  await using net = await house([jwk(key, 'k1')], { groups: 'groups', name: 'email' });
  const { who } = await net.issuers.judge(jwt({ groups: ['eng', 'ops', 7, '', 'a\u202eb'], email: 'bob@x' }), NOW);
  assert.deepEqual(
    { ...who, stamp: undefined },
    { id: `jwt:${ISSUER}#bob`, name: 'bob@x', groups: ['eng', 'ops'], expiresAt: NOW + 660_000, stamp: undefined },
  );
  const plain = await net.issuers.judge(jwt({ groups: 'eng' }), NOW);
  assert.deepEqual([plain.who.groups, plain.who.name], [['eng'], 'bob']);
  assert.notEqual(plain.who.stamp, who.stamp);
  await using silent = await house();
  assert.deepEqual(
    (await silent.issuers.judge(jwt({ groups: ['eng'] }), NOW)).who.groups,
    [],
    'unless it was asked for',
  );
});

test('T07: each way to misuse a JWT has its code', async () => {
  await using net = await house();
  const secret = Buffer.from(JSON.stringify(jwk(key, 'k1')));
  const { createSecretKey } = await import('node:crypto');
  assert.equal(await net.code(jwt()), 'fine');
  assert.equal(await net.code(jwt({}, { alg: 'none' }, null)), 'jwt_algorithm');
  assert.equal(await net.code(jwt({}, { alg: 'HS256' }, createSecretKey(secret))), 'jwt_algorithm');
  assert.equal(await net.code(jwt({}, { alg: 'ES384' })), 'jwt_algorithm');
  assert.equal(await net.code(jwt({}, {}, ec())), 'jwt_signature');
  assert.equal(await net.code(jwt({}, { kid: 'other' })), 'jwt_key_unknown');
  assert.equal(await net.code(jwt({ iss: 'https://evil.example' })), 'jwt_issuer');
  assert.equal(await net.code(jwt({ iss: undefined })), 'jwt_issuer');
  assert.equal(await net.code(jwt({ aud: 'other' })), 'jwt_audience');
  assert.equal(await net.code(jwt({ aud: undefined })), 'jwt_audience');
  assert.equal(await net.code(jwt({ aud: ['other', 'gateway'] })), 'fine');
  assert.equal(await net.code(jwt({ sub: undefined })), 'jwt_claims');
  assert.equal(await net.code(jwt({ sub: '' })), 'jwt_claims');
  assert.equal(await net.code(jwt({ sub: 'a\nb' })), 'jwt_claims');
  assert.equal(await net.code(jwt({ sub: 7 })), 'jwt_claims');
  assert.equal(await net.code(jwt({ exp: undefined })), 'jwt_claims');
  assert.equal(await net.code(jwt({ exp: 'soon' })), 'jwt_claims');
  assert.equal(await net.code(jwt({ exp: SECOND - 61 })), 'jwt_expired');
  assert.equal(await net.code(jwt({ exp: SECOND - 59 })), 'fine', 'clocks differ');
  assert.equal(await net.code(jwt({ nbf: SECOND + 61 })), 'jwt_not_yet_valid');
  assert.equal(await net.code(jwt({ nbf: SECOND + 59 })), 'fine');
  assert.equal(await net.code(jwt({}, { crit: ['x'], x: 1 })), 'jwt_algorithm');
  for (const text of ['', 'a', 'a.b', 'a.b.c', '..', 'a.b.c.d', `${encode({})}.${encode(7)}.x`, `.${encode({})}.`]) {
    const code = await net.code(text);
    assert.ok(code === 'jwt_malformed' || code === 'jwt_issuer', `${code}: ${text}`);
  }
  assert.equal(await net.code(`${jwt()}${'A'.repeat(20_000)}`), 'access_too_large');
  const many = await house([jwk(key, 'k1')], { groups: 'groups' });
  await using _ = many;
  assert.equal(await many.code(jwt({ groups: Array.from({ length: 201 }, (_one, at) => `g${at}`) })), 'jwt_claims');
  assert.equal(await many.code(jwt({ groups: ['x'.repeat(201)] })), 'jwt_claims');
});

test('T07: a key of one issuer is none of another, and secrets among public keys are left out', async () => {
  const other = ec();
  await using net = await house();
  await using two = await house([jwk(other, 'k1')]);
  const both = await openIssuers({
    issuers: [
      { issuer: ISSUER, audience: 'gateway', jwks: net.file },
      { issuer: 'https://two.example', audience: 'gateway', jwks: two.file },
    ],
    log,
  });
  await assert.rejects(both.judge(jwt({ iss: 'https://two.example' }), NOW), { code: 'jwt_signature' });
  assert.ok(await both.judge(jwt({ iss: 'https://two.example' }, {}, other), NOW));
  await using odd = await house([
    { kty: 'oct', kid: 'k1', k: 'c2VjcmV0' },
    { ...key.export({ format: 'jwk' }), kid: 'k1' },
    jwk(key, 'k1', { use: 'enc' }),
  ]);
  assert.equal(await odd.code(jwt()), 'jwt_key_unknown');
});

test('other kinds of keys that issuers have', async () => {
  const ed = generateKeyPairSync('ed25519').privateKey;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  await using net = await house([jwk(ed, 'ed'), jwk(rsa, 'rsa')]);
  assert.equal(await net.code(jwt({}, { alg: 'EdDSA', kid: 'ed' }, ed)), 'fine');
  assert.equal(await net.code(jwt({}, { alg: 'RS256', kid: 'rsa' }, rsa)), 'fine');
  await using fewer = await house([jwk(rsa, 'rsa')], { algorithms: ['ES256'] });
  assert.equal(await fewer.code(jwt({}, { alg: 'RS256', kid: 'rsa' }, rsa)), 'jwt_algorithm');
});

test('a file of keys is read again: a key that is gone ends what it let in, a new one counts', async () => {
  await using net = await house();
  const judged = await net.issuers.judge(jwt(), NOW);
  await judged.again(NOW);
  const next = ec();
  await net.write([jwk(next, 'k2')]);
  await assert.rejects(judged.again(NOW), { code: 'jwt_key_unknown' });
  assert.equal(await net.code(jwt({}, { kid: 'k2' }, next)), 'fine');
  await assert.rejects((await net.issuers.judge(jwt({}, { kid: 'k2' }, next), NOW)).again(NOW + 661_000), {
    code: 'jwt_expired',
  });
  await net.write('{ broken');
  assert.equal(await net.code(jwt({}, { kid: 'k2' }, next)), 'fine', 'what cannot be read changes nothing');
});

test('files that are no keys are said at the start', async () => {
  const settings = { issuer: ISSUER, audience: 'g' };
  await assert.rejects(openIssuers({ issuers: [{ ...settings, jwks: '/nowhere/jwks.json' }], log }), {
    code: 'jwt_keys_unavailable',
  });
  await assert.rejects(openIssuers({ issuers: [{ ...settings, jwks: 'http://idp.example/keys' }], log }), {
    code: 'jwt_keys_unavailable',
  });
  assert.equal(jwksRefusal('https://idp.example/keys'), undefined);
  assert.equal(jwksRefusal('http://127.0.0.1:1/keys'), undefined);
  assert.equal(jwksRefusal('/etc/keys.json'), undefined);
  for (const bad of ['http://idp.example/keys', 'ftp://x/y', 'https://']) assert.ok(jwksRefusal(bad), bad);
});

async function served(handle: (asked: number) => { status?: number; body: string }) {
  let asked = 0;
  const server: Server = createServer((_request, response) => {
    asked += 1;
    const { status = 200, body } = handle(asked);
    response.writeHead(status, { location: '/elsewhere', connection: 'close' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/keys`,
    asked: () => asked,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

test('keys of a URL: kept, asked for again for a new key, and not for each stranger', async () => {
  const next = ec();
  let keys = [jwk(key, 'k1')];
  await using web = await served(() => ({ body: JSON.stringify({ keys }) }));
  let clock = NOW;
  await using net = await house([], { jwks: web.url }, { now: () => clock });
  assert.equal(await net.code(jwt()), 'fine');
  assert.equal(await net.code(jwt()), 'fine');
  assert.equal(web.asked(), 1);
  for (let at = 0; at < 5; at += 1) assert.equal(await net.code(jwt({}, { kid: `x${at}` })), 'jwt_key_unknown');
  assert.equal(web.asked(), 1, 'it was asked a moment ago');
  keys = [jwk(next, 'k2')];
  clock += 31_000;
  assert.equal(await net.code(jwt({}, { kid: 'k2' }, next)), 'fine');
  assert.equal(web.asked(), 2);
});

test('keys of a URL that cannot be had: no answer, too much, another place, an error', async () => {
  const bodies = [
    { body: 'x' },
    { body: JSON.stringify({ keys: 7 }) },
    { body: ' '.repeat(300 * 1024) },
    { status: 302, body: '' },
    { status: 500, body: '' },
    { body: JSON.stringify({ keys: Array(101).fill(jwk(key, 'k1')) }) },
  ];
  for (const answer of bodies) {
    await using web = await served(() => answer);
    await using net = await house([], { jwks: web.url });
    assert.equal(await net.code(jwt()), 'jwt_keys_unavailable', JSON.stringify(answer).slice(0, 60));
  }
});
