import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { apiAnswer, describe, invalidAnswer, refusalOf } from '../../src/controller/answers.ts';
import type { RestAnswer } from '../../src/controller/rest-client.ts';
import { ZitiError } from '../../src/errors.ts';
import { LIMITS } from '../../src/limits.ts';
import { recorded, wholeRecordings } from '../recorded.ts';

function answer(status: number, body: unknown, headers: RestAnswer['headers'] = {}): RestAnswer {
  return { status, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) };
}

test("every recorded refusal says its status, its code and the reason in the controller's words", () => {
  const said = recorded('refusals')
    .filter(({ status }) => status >= 400)
    .map(({ status, body }) => describe(refusalOf(answer(status, body))));
  assert.ok(said.includes('404 NOT_FOUND: service with id nope not found'));
  assert.ok(said.includes('400 COULD_NOT_VALIDATE: service not found'));
  assert.ok(said.includes('401 INVALID_AUTH: The authentication request failed'));
  assert.ok(said.includes('606 COULD_NOT_VALIDATE: method in query should be one of [password cert ext-jwt]'));
  assert.ok(said.some((text) => text.startsWith('400 NO_EDGE_ROUTERS_AVAILABLE: No edge routers are assigned')));
  const forbidden = recorded('refusals').find(({ body }) => JSON.stringify(body).includes('"ServiceId"'));
  assert.equal(refusalOf(answer(400, forbidden?.body)).field, 'ServiceId');
});

test('refusals in the forms of OAuth, of text and of nothing are understood', () => {
  const [oauth] = recorded('oidc').filter(({ status }) => status === 400);
  assert.equal(
    describe(refusalOf(answer(400, oauth?.body))),
    '400 server_error: an entity of type revocation already exists with id a5b6a72e-24aa-42dd-bc4c-d4991c08ea4a',
  );
  assert.equal(
    describe(refusalOf(answer(401, 'The authentication request failed\n'))),
    '401: The authentication request failed',
  );
  assert.equal(describe(refusalOf(answer(502, ''))), '502');
  assert.equal(describe(refusalOf(answer(400, { error: { code: 'X' } }))), '400 X');
});

test('what a controller says becomes one harmless line of bounded length', () => {
  const { message } = refusalOf(answer(500, `a\u0000\n\u001b[31mb\u202e${'c'.repeat(9999)}`));
  assert.ok(message?.startsWith('a [31mb c'), message);
  assert.ok((message?.length ?? 0) <= LIMITS.quotedChars);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const said = refusalOf(answer(500, text)).message ?? '';
      assert.ok(!/[\p{Cc}\u2028\u2029]/u.test(said) && said.length <= LIMITS.quotedChars);
    }),
  );
});

test('a wait is believed only in seconds', () => {
  const after = (value: string) => refusalOf(answer(429, '', { 'retry-after': value })).retryAfterMs;
  assert.equal(after('3'), 3000);
  assert.equal(after('Wed, 21 Oct 2026 07:28:00 GMT'), undefined);
  assert.equal(after('99999999'), undefined);
  assert.equal(after('-1'), undefined);
});

test('success that is no JSON object is an answer we do not understand', () => {
  for (const body of ['<html>', '', '[]', 'null', '7']) {
    assert.throws(
      () => apiAnswer(answer(200, body), 'ctrl:1280'),
      (error: unknown) =>
        error instanceof ZitiError && error.code === 'controller_answer_invalid' && /ctrl:1280/.test(error.message),
    );
  }
  assert.deepEqual(apiAnswer(answer(200, {}), 'c'), { ok: true, data: undefined, meta: {} });
  assert.ok(invalidAnswer('c', 'x').hint);
});

test('bodies of any shape never break the reading', () => {
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), fc.jsonValue(), (status, body) => {
      try {
        apiAnswer(answer(status, body), 'c');
      } catch (error) {
        assert.ok(error instanceof ZitiError && error.code === 'controller_answer_invalid', String(error));
      }
    }),
  );
});

const whole = wholeRecordings();

test('every answer of the whole recordings is data or a refusal', {
  skip: !whole && 'the recordings are not on this machine',
}, (t) => {
  let [data, refusals] = [0, 0];
  for (const { file, status, path, body } of whole ?? []) {
    if (path.startsWith('/oidc') || path.includes('/.well-known/')) continue;
    const read = apiAnswer(answer(status, body), 'c');
    assert.equal(read.ok, status < 300, `${file} ${path}`);
    if (read.ok) data += 1;
    else {
      refusals += 1;
      assert.ok(read.refusal.code, `${file} ${path}: ${JSON.stringify(body)}`);
    }
  }
  t.diagnostic(`${data} with data, ${refusals} refusals`);
  assert.ok(data > 50 && refusals > 10);
});
