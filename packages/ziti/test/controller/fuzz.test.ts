// What a controller answers, mutated: data, a refusal, or an error of ours.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { apiAnswer, describe } from '../../src/controller/answers.ts';
import { edgeRoutersOf } from '../../src/controller/edge-routers.ts';
import { checkIdToken } from '../../src/controller/id-token.ts';
import { listedControllers } from '../../src/controller/listed-controllers.ts';
import { ZITI_ERROR_CODES, ZitiError } from '../../src/errors.ts';
import { isRecord } from '../../src/json.ts';
import { LIMITS } from '../../src/limits.ts';
import { mutate } from '../../src/testing/mutate.ts';
import { makeToken } from '../tokens.ts';

const isOurs = (error: unknown): boolean =>
  error instanceof ZitiError && (ZITI_ERROR_CODES as readonly string[]).includes(error.code);

const router = {
  name: 'r1',
  hostname: 'h',
  isOnline: true,
  supportedProtocols: { tls: 'tls://127.0.0.1:3022', wss: 'wss://[::1]:443' },
  urls: { tls: 'tls:r.example:1' },
};
const ANSWERS = [
  { data: { edgeRouters: [router, null, { ...router, disabled: true }] }, meta: { pagination: { totalCount: 1 } } },
  { data: [{ apiAddresses: { 'edge-client': [{ url: 'https://c.example:1280/edge/client/v1', version: 'v1' }] } }] },
  { error: { code: 'COULD_NOT_VALIDATE', message: 'no', cause: { field: 'x', reason: 'why' } }, meta: {} },
  { error: 'invalid_grant', error_description: 'gone' },
].map((answer) => Buffer.from(JSON.stringify(answer)));

test('a damaged answer is data, a refusal or an error of ours', (t) => {
  const tally = mutate(
    ANSWERS,
    (input) => {
      const status = input.length % 2 === 0 ? 200 : 400;
      const answer = apiAnswer(
        { status, headers: { 'retry-after': input.subarray(0, 6).toString('latin1') }, body: input },
        'c',
      );
      if (!answer.ok) {
        assert.ok(describe(answer.refusal).length < 20 * LIMITS.peerTextChars);
        return;
      }
      const routers = edgeRoutersOf(isRecord(answer.data) ? answer.data : {});
      assert.ok(routers.flatMap(({ urls }) => urls).every((url) => /^(tls|wss):/.test(url)));
      for (const url of listedControllers(answer.data).flat()) assert.equal(new URL(url).protocol, 'https:');
    },
    isOurs,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.accepted > 0 && tally.refused > 20);
});

test('a damaged id token is not believed', (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const claims = { nonce: 'n', sub: 's', aud: ['a'], iss: 'https://c:1/oidc', exp: 2_000_000_000, name: 'me' };
  const good = makeToken(claims, privateKey, { kid: 'k' });
  const keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] };
  const expected = { origin: 'https://c:1', clientId: 'a', nonce: 'n', subject: 's', keys, wall: 1_900_000_000_000 };
  assert.deepEqual(checkIdToken(good, expected), { name: 'me' });
  const tally = mutate(
    [Buffer.from(good)],
    (input) => {
      const judged = checkIdToken(input.toString(), expected);
      // Base64 has bits to spare at its end.
      if (typeof judged !== 'string') assert.ok(input.toString().startsWith(good.slice(0, -1)), 'another token passed');
      if (typeof judged === 'string') throw new ZitiError('login_refused', judged);
    },
    isOurs,
  );
  t.diagnostic(JSON.stringify(tally));
  assert.ok(tally.refused > 20);
});
