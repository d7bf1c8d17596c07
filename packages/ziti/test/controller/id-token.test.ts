import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { checkIdToken, type IdTokenExpectation } from '../../src/controller/id-token.ts';
import { RECORDED_AT, recordedAnswer } from '../recorded.ts';
import { makeToken } from '../tokens.ts';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const NOW = Date.parse('2026-11-20T13:40:00Z');
const CLAIMS = {
  iss: 'https://ctrl.example:1280/oidc',
  aud: ['native'],
  sub: 'id-1',
  nonce: 'n',
  exp: NOW / 1000 + 60,
  name: 'me',
};
const EXPECTED: IdTokenExpectation = {
  origin: 'https://ctrl.example:1280',
  clientId: 'native',
  nonce: 'n',
  subject: 'id-1',
  keys: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] },
  wall: NOW,
};

const check = (claims: object, expected: Partial<IdTokenExpectation> = {}, by = privateKey, kid = 'k') =>
  checkIdToken(makeToken({ ...CLAIMS, ...claims }, by, { kid }), { ...EXPECTED, ...expected });

test('the id token of a real login is good at its time, for its request, from its controller', () => {
  const { body } = recordedAnswer('oidc', 'POST', /oauth\/token/);
  const idToken = (body as { id_token: string }).id_token;
  const expected = {
    origin: 'https://127.0.0.1:11280',
    clientId: 'native',
    nonce: '-Vn0mtXeoN5NaAt4hKNvMw',
    subject: 'J1H8ULKHbr',
    keys: recordedAnswer('oidc', 'GET', /keys/).body,
    wall: RECORDED_AT,
  };
  assert.deepEqual(checkIdToken(idToken, expected), { name: 'trace-dialer' });
  assert.match(String(checkIdToken(idToken, { ...expected, nonce: 'x' })), /another login/);
  assert.match(String(checkIdToken(idToken, { ...expected, wall: RECORDED_AT + 2_400_000 })), /expired/);
  const [head = '', claims = '', signature = ''] = idToken.split('.');
  const changed = `${head}.${claims}.${signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))}`;
  assert.match(String(checkIdToken(changed, expected)), /wrong signature/);
});

test('each claim that does not fit is named', () => {
  assert.deepEqual(check({}), { name: 'me' });
  assert.deepEqual(check({ name: 7, aud: 'native' }), { name: undefined });
  const cases: [object, RegExp][] = [
    [{ nonce: 'm' }, /another login/],
    [{ nonce: undefined }, /another login/],
    [{ sub: 'id-2' }, /another identity/],
    [{ aud: ['openziti'] }, /another client/],
    [{ aud: undefined }, /another client/],
    [{ exp: NOW / 1000 - 301 }, /expired/],
    [{ exp: 'soon' }, /expired/],
    [{ iss: undefined }, /another issuer/],
    [{ iss: 'https://ctrl.example:1281/oidc' }, /another issuer/],
    [{ iss: 'https://other.example:1280/oidc' }, /another issuer/],
    [{ iss: 'http://ctrl.example:1280/oidc' }, /another issuer/],
    [{ iss: 'https://ctrl.example:1280' }, /another issuer/],
  ];
  for (const [claims, says] of cases) assert.match(String(check(claims)), says, JSON.stringify(claims));
  assert.deepEqual(check({ exp: NOW / 1000 - 299 }), { name: 'me' }, 'clocks differ a little');
});

test('a controller with a wildcard certificate issues for its wildcard', () => {
  assert.deepEqual(check({ iss: 'https://*.example:1280/oidc' }, {}), 'the id token of another issuer');
  const below = { origin: 'https://c1.ziti.example:1280' };
  assert.deepEqual(check({ iss: 'https://*.ziti.example:1280/oidc' }, below), { name: 'me' });
  assert.match(
    String(check({ iss: 'https://*.ziti.example:1280/oidc' }, { origin: 'https://a.c1.ziti.example:1280' })),
    /issuer/,
  );
});

test('only keys that the controller publishes count, the one of the kid', () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  assert.match(String(check({}, {}, other.privateKey)), /wrong signature/);
  assert.match(String(check({}, {}, privateKey, 'other')), /wrong signature/);
  assert.match(String(check({}, { keys: undefined })), /wrong signature/);
  assert.match(String(checkIdToken(undefined, EXPECTED)), /no id token/);
  assert.match(String(checkIdToken('x', EXPECTED)), /not a JSON web token/);
});
