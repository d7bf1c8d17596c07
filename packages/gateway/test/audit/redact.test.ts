// What a record keeps of arguments: with the key enough to find them, without it nothing.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { argumentKeys } from '../../src/audit/keys.ts';
import { AUDIT_LIMITS } from '../../src/audit/limits.ts';
import { canonical, digests, Redactor, unseal } from '../../src/audit/redact.ts';
import { KEY, OTHER_KEY } from './sample.ts';

const LOG = 'a'.repeat(32);
const keys = argumentKeys(KEY);
const redact = (mode: 'digest' | 'sealed' | 'clear', args: unknown) =>
  JSON.parse(new Redactor(mode, keys, LOG).args(args)) as Record<string, unknown>;

test('T39: no plain hash of a value, nor any value, is in the digest of short arguments', () => {
  // Every PIN there is: whoever could try them out would know it.
  const pins = Array.from({ length: 10_000 }, (_, n) => String(n).padStart(4, '0'));
  const text = new Redactor('digest', keys, LOG).args({ pin: '4711', ok: true, n: 4711 });
  for (const pin of pins) {
    for (const said of [pin, JSON.stringify(pin), `leaf\n${JSON.stringify(pin)}`, JSON.stringify({ pin })]) {
      const hash = createHash('sha256').update(said).digest();
      for (const form of ['hex', 'base64', 'base64url'] as const) {
        assert.ok(!text.includes(hash.toString(form).slice(0, 16)), `${pin} can be told`);
      }
    }
  }
  assert.doesNotMatch(text, /4711/);
});

test('T39: digests are under a key of their own, not that of the records', () => {
  assert.notDeepEqual(keys.digest, KEY);
  assert.notDeepEqual(keys.digest, keys.seal);
  assert.notEqual(digests(keys).leaf('x'), digests(argumentKeys(OTHER_KEY)).leaf('x'));
});

test('with the key it is found who called with a value, wherever it stands', () => {
  const { leaf, whole } = digests(keys);
  const { shape, hmac, bytes } = redact('digest', {
    to: 'bob@example.com',
    copies: [1, { deep: 'bob@example.com' }],
    no: null,
  });
  assert.deepEqual(shape, {
    to: leaf('bob@example.com'),
    copies: [leaf(1), { deep: leaf('bob@example.com') }],
    no: null,
  });
  assert.equal(leaf('bob@example.com').split(':')[0], 's15');
  assert.equal(leaf(true).split(':')[0], 'b');
  assert.equal(hmac, whole({ no: null, copies: [1, { deep: 'bob@example.com' }], to: 'bob@example.com' }));
  assert.equal(bytes, 74);
  assert.equal(digests(keys).result(Buffer.from('x')).length, 64);
});

test('sealed arguments open with the key, and not with another, nor as those of another log, nor changed', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (args) => {
      const { sealed } = redact('sealed', args);
      assert.deepEqual(unseal(String(sealed), keys, LOG), JSON.parse(JSON.stringify(args)));
    }),
  );
  const sealed = String(redact('sealed', { a: 'secret' }).sealed);
  assert.doesNotMatch(Buffer.from(sealed, 'base64').toString('latin1'), /secret/);
  assert.throws(() => unseal(sealed, argumentKeys(OTHER_KEY), LOG));
  assert.throws(() => unseal(sealed, keys, 'b'.repeat(32)));
  const bytes = Buffer.from(sealed, 'base64');
  bytes[14] = (bytes[14] as number) ^ 1;
  assert.throws(() => unseal(bytes.toString('base64'), keys, LOG));
  assert.notEqual(redact('sealed', 1).sealed, redact('sealed', 1).sealed, 'a nonce is used once');
});

test('arguments too large to be sealed are recorded as digests', () => {
  const large = { a: 'x'.repeat(AUDIT_LIMITS.sealedBytes) };
  const { sealed, shape, bytes } = redact('sealed', large);
  assert.equal(sealed, undefined);
  assert.deepEqual(shape, { a: digests(keys).leaf(large.a) });
  assert.equal(bytes, AUDIT_LIMITS.sealedBytes + 8);
});

test('clear arguments are as they are, long texts cut', () => {
  const { clear } = redact('clear', { a: 'x'.repeat(3000), b: [1, true, null], c: {} });
  assert.deepEqual(clear, { a: `${'x'.repeat(2048)}…[+952]`, b: [1, true, null], c: {} });
});

test('deep and wide arguments are drawn as far as there is room, and what is left out is counted', () => {
  let deep: unknown = 'end';
  for (let depth = 0; depth < 30; depth += 1) deep = { d: deep };
  assert.equal(redact('digest', deep).left_out, 1);
  const wide = redact(
    'digest',
    Array.from({ length: 1000 }, (_, n) => n),
  );
  assert.equal((wide.shape as unknown[]).length, AUDIT_LIMITS.shapeLeaves);
  assert.equal(wide.left_out, 1000 - AUDIT_LIMITS.shapeLeaves);
  const heavy = redact(
    'clear',
    Array.from({ length: 40 }, () => 'y'.repeat(1000)),
  );
  assert.ok((heavy.left_out as number) > 20);
  const keysToo = redact(
    'digest',
    Object.fromEntries(Array.from({ length: 80 }, (_, n) => [`${n}${'k'.repeat(400)}`, {}])),
  );
  assert.ok((keysToo.left_out as number) > 0);
  assert.match(JSON.stringify(keysToo.shape), /k…\[\+27[0-9]\]/);
  assert.equal(redact('digest', undefined).shape, null);
});

test('canonical JSON does not depend on the order of keys', () => {
  assert.equal(canonical({ b: [1, { d: undefined, c: 'x' }], a: null }), '{"a":null,"b":[1,{"c":"x","d":null}]}');
});
