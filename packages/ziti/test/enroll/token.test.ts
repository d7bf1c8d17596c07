import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEnrollmentToken } from '../../src/enroll/token.ts';
import { ZitiError } from '../../src/errors.ts';
import { decodeJwt, isSignedBy, keysFor, timeClaim } from '../../src/jwt.ts';
import { LIMITS } from '../../src/limits.ts';
import { mutate } from '../../src/testing/mutate.ts';
import { ENROLLMENT } from '../recorded.ts';
import { makeToken } from '../tokens.ts';

const NOW = Date.parse('2026-11-20T13:40:00Z');
const CLAIMS = { iss: 'https://ctrl:1280', sub: 'id-1', aud: [''], exp: NOW / 1000 + 60, jti: 'secret-1', em: 'ott' };
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function parse(claims: object): ReturnType<typeof parseEnrollmentToken> {
  return parseEnrollmentToken(makeToken(claims, ec.privateKey), NOW);
}

function refuses(code: string, says: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ZitiError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, says);
    assert.ok(error.hint);
    assert.ok(!`${error.message}${error.hint}`.includes('secret'), 'the token is quoted');
    return true;
  };
}

test('a real token is read, and the key of the server that showed that chain signed it', () => {
  const token = parseEnrollmentToken(`\n ${ENROLLMENT.token}\n`, Date.parse(ENROLLMENT.now));
  assert.equal(token.controller, 'https://127.0.0.1:11280/edge/client/v1');
  assert.equal(token.identityId, 'J1H8ULKHbr');
  assert.equal(token.secret, 'f97bfb1d-dc5e-4084-b839-22b76ca98b2e');
  assert.equal(token.expiresAt.toISOString(), '2026-11-20T16:37:51.000Z');
  const [leaf = '', intermediate = ''] = ENROLLMENT.serverChain;
  assert.ok(isSignedBy(token.jwt, new X509Certificate(leaf).publicKey));
  assert.ok(!isSignedBy(token.jwt, new X509Certificate(intermediate).publicKey));
});

test('tokens of other methods, without time, too old or of no known form are refused', () => {
  const cases: [object | string, string, RegExp][] = [
    [{ ...CLAIMS, em: 'ottca' }, 'enroll_method_unsupported', /"ottca".*your own CA/],
    [{ ...CLAIMS, em: 'ca' }, 'enroll_method_unsupported', /"ca"/],
    [{ ...CLAIMS, em: 'updb' }, 'enroll_method_unsupported', /user name/],
    [{ ...CLAIMS, em: 'erott' }, 'enroll_method_unsupported', /edge router/],
    [{ ...CLAIMS, em: 'x'.repeat(99) }, 'enroll_method_unsupported', /"x{32}"/],
    [{ ...CLAIMS, em: undefined }, 'enroll_token_invalid', /no enrollment token/],
    [{ ...CLAIMS, exp: NOW / 1000 }, 'enroll_token_expired', /2026-11-20T13:40:00/],
    [{ ...CLAIMS, exp: undefined }, 'enroll_token_invalid', /sub, jti or exp/],
    [{ ...CLAIMS, exp: '1e99' }, 'enroll_token_invalid', /sub, jti or exp/],
    [{ ...CLAIMS, jti: '' }, 'enroll_token_invalid', /sub, jti or exp/],
    [{ ...CLAIMS, sub: 7 }, 'enroll_token_invalid', /sub, jti or exp/],
    [{ ...CLAIMS, iss: 'http://ctrl:1280' }, 'enroll_token_invalid', /no https controller/],
    [{ ...CLAIMS, iss: undefined }, 'enroll_token_invalid', /no https controller/],
  ];
  for (const [claims, code, says] of cases) assert.throws(() => parse(claims as object), refuses(code, says));
  const texts: [string, RegExp][] = [
    ['', /not a JSON web token/],
    ['a.b', /not a JSON web token/],
    ['a.b.c.d', /not a JSON web token/],
    ['a.b.', /not a JSON web token/],
    ['a.b.c d', /not a JSON web token/],
    ['a.b.c', /not JSON/],
    [`${Buffer.from('[]').toString('base64url')}.e30.AA`, /not objects/],
    ['e30.e30.AA', /without algorithm/],
    ['{"ztAPI":"secret"}', /identity file/],
    ['a'.repeat(LIMITS.jwtBytes + 1), /longer than/],
  ];
  for (const [text, says] of texts) {
    assert.throws(() => parseEnrollmentToken(text, NOW), refuses('enroll_token_invalid', says), text.slice(0, 40));
  }
});

test('an expiry that no calendar holds is far away, not an error', () => {
  assert.equal(parse({ ...CLAIMS, exp: 1e300 }).expiresAt.getTime(), 8.64e15);
});

const PAIRS: Readonly<Record<string, { publicKey: KeyObject; privateKey: KeyObject }>> = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: ec,
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519'),
};

test('RS, PS, ES and EdDSA signatures are checked, and each key takes its own algorithms only', () => {
  const rsa = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
  for (const [alg, { publicKey, privateKey }] of Object.entries(PAIRS)) {
    for (const name of alg === 'RS256' ? rsa : [alg]) {
      const token = makeToken(CLAIMS, privateKey, { alg: name });
      for (const [other, pair] of Object.entries(PAIRS)) {
        assert.equal(isSignedBy(decodeJwt(token), pair.publicKey), other === alg, `${name} with a key for ${other}`);
      }
      const [head = '', , signature = ''] = token.split('.');
      const changed = `${head}.${Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'id-2' })).toString('base64url')}.${signature}`;
      assert.ok(!isSignedBy(decodeJwt(changed), publicKey), name);
    }
  }
});

test('no token chooses how it is checked: none, HMAC, another curve, another hash', () => {
  const { publicKey, privateKey } = PAIRS.RS256 ?? ec;
  for (const alg of ['none', 'HS256', 'ES256', 'RS1', 'RS224', 'rs256', 'RS256 ']) {
    const token = makeToken(CLAIMS, privateKey, { alg, hash: 'sha256' });
    assert.ok(!isSignedBy(decodeJwt(token), publicKey), alg);
  }
  assert.ok(!isSignedBy(decodeJwt(makeToken(CLAIMS, ec.privateKey, { alg: 'ES384' })), ec.publicKey));
  const unusual = generateKeyPairSync('x25519').publicKey;
  assert.ok(!isSignedBy(decodeJwt(makeToken(CLAIMS, ec.privateKey)), unusual));
});

test('keys of a JWK set are chosen by kid, broken ones left out', () => {
  const set = {
    keys: [
      { ...ec.publicKey.export({ format: 'jwk' }), kid: 'a' },
      { ...PAIRS.EdDSA?.publicKey.export({ format: 'jwk' }), kid: 'b' },
      { kty: 'EC', crv: 'P-256', x: '', y: '', kid: 'a' },
      { kty: 'oct', k: 'AAAA', kid: 'a' },
      7,
    ],
  };
  assert.equal(keysFor(decodeJwt(makeToken({}, ec.privateKey, { kid: 'a' })), set).length, 1);
  assert.equal(keysFor(decodeJwt(makeToken({}, ec.privateKey)), set).length, 2);
  assert.deepEqual(keysFor(decodeJwt(makeToken({}, ec.privateKey, { kid: 'c' })), set), []);
  for (const none of [undefined, null, [], { keys: 7 }]) {
    assert.deepEqual(keysFor(decodeJwt(makeToken({}, ec.privateKey)), none), []);
  }
  assert.equal(timeClaim({ exp: Number.NaN }, 'exp'), undefined);
});

test('a damaged token is a token or an error of ours', (t) => {
  const seeds = [ENROLLMENT.token, makeToken(CLAIMS, ec.privateKey)].map((text) => Buffer.from(text));
  const key = new X509Certificate(ENROLLMENT.serverChain[0] ?? '').publicKey;
  const tally = mutate(
    seeds,
    (input) => {
      const { jwt } = parseEnrollmentToken(input.toString(), Date.parse(ENROLLMENT.now));
      // Only what was really signed may pass for signed.
      if (isSignedBy(jwt, key)) assert.ok(ENROLLMENT.token.startsWith(jwt.signed.toString()));
    },
    (error) => error instanceof ZitiError && /^enroll_(token|method)_/.test(error.code),
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.refused > 20);
});

test('claims of any type are read or refused', () => {
  const claims = fc.record(
    {
      iss: fc.oneof(fc.webUrl(), fc.jsonValue()),
      sub: fc.jsonValue(),
      exp: fc.jsonValue(),
      jti: fc.jsonValue(),
      em: fc.constantFrom('ott', 'ca', 7),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(claims, (value) => {
      try {
        assert.ok(parse(value).expiresAt.getTime() > NOW);
      } catch (error) {
        assert.ok(error instanceof ZitiError, String(error));
      }
    }),
  );
});
