import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Headers } from '../../src/channel/headers.ts';

test('each type is read as it was set', () => {
  fc.assert(
    fc.property(
      fc.nat(255),
      fc.nat(65_535),
      fc.nat(2 ** 32 - 1),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.boolean(),
      fc.string({ unit: 'binary' }),
      (u8, u16, u32, i32, u64, bool, text) => {
        const headers = new Headers()
          .setU8(1, u8)
          .setU16(2, u16)
          .setU32(3, u32)
          .setI32(-4, i32)
          .setU64(5, u64)
          .setBool(6, bool)
          .setString(7, text);
        assert.deepEqual(
          [headers.u8(1), headers.u16(2), headers.u32(3), headers.i32(-4), headers.u64(5), headers.bool(6)],
          [u8, u16, u32, i32, u64, bool],
        );
        assert.equal(headers.string(7), Buffer.from(text).toString());
        assert.equal(headers.size, 7);
      },
    ),
  );
});

test('numbers are little-endian', () => {
  const headers = new Headers().setU16(2, 0x0102).setU32(3, 0x01020304).setI32(4, -2).setU64(5, 0x0102030405060708n);
  const bytes = (key: number): string => Buffer.from(headers.bytes(key) ?? []).toString('hex');
  assert.deepEqual([bytes(2), bytes(3), bytes(4), bytes(5)], ['0201', '04030201', 'feffffff', '0807060504030201']);
});

test('a value of another length than its type is absent, and so is one that was never set', () => {
  for (let length = 0; length <= 9; length += 1) {
    const headers = new Headers().setBytes(1, new Uint8Array(length));
    assert.equal(headers.u8(1) !== undefined, length === 1);
    assert.equal(headers.bool(1) !== undefined, length === 1);
    assert.equal(headers.u16(1) !== undefined, length === 2);
    assert.equal(headers.u32(1) !== undefined, length === 4);
    assert.equal(headers.i32(1) !== undefined, length === 4);
    assert.equal(headers.u64(1) !== undefined, length === 8);
    assert.equal(headers.string(1)?.length, length);
    assert.equal(headers.has(2), false);
    assert.equal(headers.u32(2) ?? headers.string(2) ?? headers.bytes(2) ?? headers.bool(2), undefined);
  }
});

test('views into larger buffers are read at their place', () => {
  const large = Uint8Array.from({ length: 32 }, (_, index) => index);
  const headers = new Headers().setBytes(1, large.subarray(4, 8)).setBytes(2, large.subarray(4, 12));
  assert.equal(headers.u32(1), 0x07060504);
  assert.equal(headers.u64(2), 0x0b0a090807060504n);
});

test('text that is no UTF-8 is replaced, not thrown', () => {
  assert.equal(new Headers().setBytes(1, Uint8Array.of(0x61, 0xff)).string(1), 'a\ufffd');
});
