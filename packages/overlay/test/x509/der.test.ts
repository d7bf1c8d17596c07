import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { OverlayError } from '../../src/errors.ts';
import { tlv } from '../../src/testing/pki.ts';
import { bitString, booleanOf, type Der, DerReader, oidText, readOne, TAG, timeOf } from '../../src/x509/der.ts';

const malformed = { code: 'proof_malformed', message: 'it cannot be read' };

function value(tag: number, hex: string): Der {
  return readOne(tlv(tag, Buffer.from(hex, 'hex')), tag, 'it');
}

test('what a writer wrote is read again, whatever its length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.uint8Array({ maxLength: 70_000 }), (tag, body) => {
      const { body: read, whole } = readOne(tlv(tag, Buffer.from(body)), tag, 'it');
      assert.ok(read.equals(body));
      assert.equal(whole.length, tlv(tag, Buffer.from(body)).length);
    }),
    { numRuns: 200 },
  );
});

test('every length but the shortest definite one is refused, and every cut', () => {
  for (const hex of [
    '0480',
    '04810a',
    '048105aabbccddee',
    '04820005aabbccddee',
    '0485000000000100',
    '04ff',
    '04',
    '1f8101aa',
  ]) {
    assert.throws(() => new DerReader(Buffer.from(hex, 'hex'), 'it').next(), malformed, hex);
  }
  const whole = tlv(4, Buffer.alloc(300, 7));
  for (let length = 0; length < whole.length; length += 1) {
    assert.throws(() => readOne(whole.subarray(0, length), 4, 'it'), malformed);
  }
  assert.throws(() => readOne(Buffer.concat([whole, Buffer.of(5)]), 4, 'it'), malformed, 'a byte behind it');
  assert.throws(() => readOne(whole, 5, 'it'), malformed, 'another tag');
});

test('no bytes make the reader throw anything else, or go on for ever', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const reader = new DerReader(Buffer.from(bytes), 'it');
      try {
        let count = 0;
        while (!reader.done) {
          const one = reader.next();
          count += one.whole.length;
          for (const read of [oidText, bitString, timeOf, booleanOf]) {
            try {
              read(one, 'it');
            } catch (error) {
              assert.ok(error instanceof OverlayError && error.code === 'proof_malformed');
            }
          }
        }
        assert.equal(count, bytes.length);
      } catch (error) {
        assert.ok(error instanceof OverlayError && error.code === 'proof_malformed', String(error));
      }
    }),
    { numRuns: 3000 },
  );
});

test('numbers of objects', () => {
  assert.equal(oidText(value(TAG.oid, '2a864886f70d01010b'), 'it'), '1.2.840.113549.1.1.11');
  assert.equal(oidText(value(TAG.oid, '551d0f'), 'it'), '2.5.29.15');
  assert.equal(oidText(value(TAG.oid, '883703'), 'it'), '2.999.3');
  for (const hex of ['', '80', '5580', '2a8001', '2affffffffffffffffff7f']) {
    assert.throws(() => oidText(value(TAG.oid, hex), 'it'), malformed, hex);
  }
});

test('times: UTC with seconds, and the century that RFC 5280 says', () => {
  const time = (tag: number, text: string): number => timeOf(value(tag, Buffer.from(text).toString('hex')), 'it');
  assert.equal(time(TAG.utcTime, '261120133857Z'), Date.parse('2026-11-20T13:38:57Z'));
  assert.equal(time(TAG.utcTime, '491231235959Z'), Date.parse('2049-12-31T23:59:59Z'));
  assert.equal(time(TAG.utcTime, '500101000000Z'), Date.parse('1950-01-01T00:00:00Z'));
  assert.equal(time(TAG.generalizedTime, '20500101000000Z'), Date.parse('2050-01-01T00:00:00Z'));
  for (const text of [
    '2611201338Z',
    '261120133857',
    '261120133857+0100',
    '269920133857Z',
    '20261120133857Z',
    'xx1120133857Z',
  ]) {
    assert.throws(() => time(TAG.utcTime, text), malformed, text);
  }
  assert.throws(() => time(TAG.octetString, '261120133857Z'), malformed);
});

test('a boolean is written in one way', () => {
  assert.equal(booleanOf(value(TAG.boolean, 'ff'), 'it'), true);
  assert.equal(booleanOf(value(TAG.boolean, '00'), 'it'), false);
  for (const hex of ['01', '', 'ffff']) assert.throws(() => booleanOf(value(TAG.boolean, hex), 'it'), malformed);
});
