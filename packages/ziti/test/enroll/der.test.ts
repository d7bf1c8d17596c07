import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bitString, der, derValues, oid, readDer, TAG } from '../../src/enroll/der.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('lengths are written in the shortest form and read back, at every border', () => {
  for (const length of [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000, 0x12_3456]) {
    const written = der(TAG.sequence, new Uint8Array(length));
    const { tag, content, whole } = readDer(written);
    assert.deepEqual([tag, content.length, whole.length], [TAG.sequence, length, written.length]);
  }
  assert.equal(hex(der(TAG.null)), '0500');
  assert.equal(hex(der(TAG.sequence, new Uint8Array(0x80)).subarray(0, 3)), '308180');
});

test('object identifiers are those of X.690 and RFC 5480', () => {
  assert.equal(hex(oid('1.2.840.10045.4.3.2')), '06082a8648ce3d040302');
  assert.equal(hex(oid('1.2.840.113549.1.7.2')), '06092a864886f70d010702');
  assert.equal(hex(oid('2.5.4.3')), '0603550403');
  assert.equal(hex(oid('2.999')), '06028837');
  assert.equal(hex(bitString(Uint8Array.of(0xab))), '030200ab');
});

test('what is not DER is refused with a reason', () => {
  const cases: [string, RegExp][] = [
    ['', /within a header/],
    ['30', /within a header/],
    ['3081', /within a header/],
    ['308200', /within a header/],
    ['3003', /within a value/],
    ['30830100', /within a header/],
    ['3080', /unsupported form/],
    ['3085ffffffffff', /unsupported form/],
    ['3084ffffffff', /within a value/],
    ['30817f', /longer than needed/],
    ['30820080', /longer than needed/],
    ['1f00', /several bytes/],
    ['bf8100', /several bytes/],
  ];
  for (const [bytes, says] of cases) assert.throws(() => readDer(Buffer.from(bytes, 'hex')), says, bytes);
});

test('values in a row come out one by one, and only as far as somebody looks', () => {
  const row = Buffer.concat([der(TAG.integer, Uint8Array.of(1)), der(TAG.null), Buffer.from('30ff', 'hex')]);
  const values = derValues(row);
  assert.equal(values.next().value?.tag, TAG.integer);
  assert.equal(values.next().value?.tag, TAG.null);
  assert.throws(() => values.next(), /DER/);
});

test('any value is read as it was written, whatever follows it', () => {
  const tag = fc.constantFrom<number>(...Object.values(TAG));
  fc.assert(
    fc.property(tag, fc.uint8Array({ maxLength: 400 }), fc.uint8Array({ maxLength: 9 }), (kind, content, after) => {
      const written = der(kind, content);
      const read = readDer(Buffer.concat([written, after]));
      assert.equal(read.tag, kind);
      assert.equal(hex(read.content), hex(content));
      assert.equal(hex(read.whole), hex(written));
    }),
  );
});
