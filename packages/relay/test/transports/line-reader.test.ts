// The same lines come out however the bytes are cut; an endless line costs neither time nor memory.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { GLIMPSE_BYTES } from '../../src/json-peek.ts';
import { type LongLine, longLineFault } from '../../src/json-rpc.ts';
import { LineReader } from '../../src/transports/line-reader.ts';

interface Read {
  readonly reader: LineReader;
  readonly lines: Buffer[];
  readonly long: LongLine[];
}

function reading(maxBytes: number): Read {
  const lines: Buffer[] = [];
  const long: LongLine[] = [];
  const reader = new LineReader(maxBytes, { onLine: (line) => lines.push(line), onTooLong: (line) => long.push(line) });
  return { reader, lines, long };
}

function readAll(maxBytes: number, chunks: Iterable<Buffer>): { lines: string[]; long: LongLine[] } {
  const { reader, lines, long } = reading(maxBytes);
  for (const chunk of chunks) reader.push(chunk);
  reader.end();
  return { lines: lines.map(String), long };
}

test('lines come out whole, wherever the bytes are split', () => {
  const text = Buffer.from('{"a":1}\n\n\r\n{"é漢":"😀"}\r\nlast, without its newline');
  const expected = ['{"a":1}', '{"é漢":"😀"}\r', 'last, without its newline'];
  for (let first = 0; first <= text.length; first++) {
    for (let second = first; second <= text.length; second++) {
      const chunks = [text.subarray(0, first), text.subarray(first, second), text.subarray(second)];
      assert.deepEqual(readAll(1000, chunks).lines, expected);
    }
  }
  assert.deepEqual(
    readAll(
      1000,
      [...text].map((byte) => Buffer.from([byte])),
    ).lines,
    expected,
  );
});

test('any lines in any pieces: shorter ones come out, longer ones are told with size and ends', () => {
  const line = fc.oneof(fc.nat(20), fc.nat(200), fc.nat(20_000)).map((length) => Buffer.alloc(length, 'abcdefghi'));
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 9_000 })), {
    minLength: 1,
  });
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 8 }),
      sizes,
      fc.constantFrom(10, 100, 5_000, 100_000),
      (given, steps, cap) => {
        const bytes = Buffer.concat(given.map((one) => Buffer.concat([one, Buffer.from('\n')])));
        const chunks: Buffer[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = steps[turn % steps.length] ?? 1;
          chunks.push(Buffer.from(bytes.subarray(at, at + size)));
          at += size;
        }
        const { lines, long } = readAll(cap, chunks);
        assert.deepEqual(lines, given.filter(({ length }) => length > 0 && length <= cap).map(String));
        const tooLong = given.filter(({ length }) => length > cap);
        assert.deepEqual(
          long.map(({ bytes: size }) => size),
          tooLong.map(({ length }) => length),
        );
        assert.deepEqual(
          long.map(({ head }) => String(head)),
          tooLong.map((one) => String(one.subarray(0, GLIMPSE_BYTES))),
        );
        assert.deepEqual(
          long.map(({ tail }) => String(tail)),
          tooLong.map((one) => String(one.subarray(-GLIMPSE_BYTES))),
        );
      },
    ),
    { numRuns: 1_000 },
  );
});

test('the limit itself passes, one byte more does not, and the next line lives', () => {
  for (const size of [1, 7, 100_000]) {
    const chunks = (text: string) =>
      (text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []).map((one) => Buffer.from(one));
    const { lines, long } = readAll(50, chunks(`${'a'.repeat(50)}\n${'b'.repeat(51)}\nc\n`));
    assert.deepEqual(lines, ['a'.repeat(50), 'c']);
    assert.deepEqual(
      long.map(({ bytes }) => bytes),
      [51],
    );
  }
});

test('a line over the limit tells its id, also when it comes last', () => {
  const { long } = readAll(10_000, [
    Buffer.from(`{"jsonrpc":"2.0","id":"first","method":"x","params":"${'x'.repeat(20_000)}"}\n`),
    Buffer.from(`{"jsonrpc":"2.0","result":"${'x'.repeat(20_000)}","id":77}\n`),
  ]);
  const faults = long.map(longLineFault);
  assert.deepEqual(
    faults.map(({ code, id, kind }) => [code, id, kind]),
    [
      ['message_too_large', '"first"', 'request'],
      ['message_too_large', '77', 'response'],
    ],
  );
  assert.ok((faults[0]?.bytes ?? 0) > 20_000);
});

test('T21: a line of 1 GiB is skipped in bounded memory', () => {
  const { reader, long } = reading(1024 * 1024);
  const chunk = Buffer.alloc(64 * 1024, 0x78);
  reader.push(Buffer.from('{"id":1,"x":"'));
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  for (let sent = 0; sent < 1024 * 1024 * 1024; sent += chunk.length) {
    reader.push(chunk);
    if (sent % (64 * 1024 * 1024) === 0) most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  reader.push(Buffer.from('"}\n'));
  assert.equal(long[0]?.bytes, 1024 * 1024 * 1024 + 15);
  assert.ok(most < 8 * 1024 * 1024, `${most} bytes`);
});

test('a line that comes byte by byte costs about its size, not a buffer for each byte', () => {
  const { reader, lines } = reading(4 * 1024 * 1024);
  const before = process.memoryUsage();
  const bytes = [...'abcdefgh'].map((letter) => Buffer.from(letter));
  for (let at = 0; at < 2 * 1024 * 1024; at++) reader.push(bytes[at % 8] as Buffer);
  const after = process.memoryUsage();
  assert.ok(after.arrayBuffers - before.arrayBuffers < 6 * 1024 * 1024);
  reader.push(Buffer.from('\n'));
  assert.equal(lines[0]?.length, 2 * 1024 * 1024);
});

test('a small line does not keep its whole chunk', () => {
  const { reader, lines } = reading(100_000);
  const chunk = Buffer.alloc(64 * 1024, 0x78);
  chunk.write('small\n');
  chunk[60_000] = 0x0a;
  reader.push(chunk);
  assert.notEqual(lines[0]?.buffer, chunk.buffer);
  assert.equal(lines[1]?.buffer, chunk.buffer, 'a large one is not copied');
});

test('the end comes after an unfinished line, and after an unfinished long one', () => {
  assert.deepEqual(readAll(10, [Buffer.from('a\nbc')]).lines, ['a', 'bc']);
  assert.deepEqual(readAll(10, [Buffer.from('a\n'), Buffer.from('bcdefghijklm')]).long[0]?.bytes, 12);
  assert.deepEqual(readAll(10, [Buffer.from('a\n')]).lines, ['a']);
  assert.deepEqual(readAll(10, []).lines, []);
});

test('T21: no byte of a long line is copied more than twice, however small the pieces', (context) => {
  const MiB = 1024 * 1024;
  let copied = 0;
  const concat = Buffer.concat;
  context.mock.method(Buffer, 'concat', (parts: Buffer[], length: number) => {
    copied += length;
    return concat(parts, length);
  });
  for (const bytes of [1, 16, 1024, 5000, 64 * 1024]) {
    const size = bytes === 1 ? MiB : 10 * MiB;
    const { reader, lines } = reading(16 * MiB);
    const piece = Buffer.alloc(bytes, 0x78);
    const copy = piece.copy.bind(piece);
    Object.defineProperty(piece, 'copy', {
      value: (...to: Parameters<Buffer['copy']>) => {
        copied += bytes;
        return copy(...to);
      },
    });
    copied = 0;
    let pushed = 0;
    for (; pushed < size; pushed += bytes) reader.push(piece);
    reader.push(Buffer.from('\n'));
    assert.equal(lines[0]?.length, pushed);
    assert.ok(copied >= pushed && copied <= 2 * pushed, `pieces of ${bytes}: ${copied} bytes copied of ${pushed}`);
  }
});
