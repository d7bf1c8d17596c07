// The router's reading of the wire and the client's, written apart from each other: what one writes the other reads, in any
// pieces.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Headers } from '../../src/channel/headers.ts';
import { encodeMessage } from '../../src/channel/message.ts';
import { MessageReader } from '../../src/channel/message-reader.ts';
import { Random } from '../../src/testing/random.ts';
import { encodeFrame, FrameDecoder, MAX_FRAME_BYTES, makeFrame } from '../../src/testing/router/frame.ts';

interface Told {
  readonly type: number;
  readonly sequence: number;
  readonly headers: ReadonlyMap<number, Uint8Array>;
  readonly body: Uint8Array;
}

const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const headers = fc.uniqueArray(fc.tuple(int32, fc.uint8Array({ maxLength: 40 })), {
  selector: ([key]) => key,
  maxLength: 8,
});
const told: fc.Arbitrary<Told> = fc.record({
  type: int32,
  sequence: int32,
  headers: headers.map((pairs) => new Map(pairs)),
  body: fc.uint8Array({ maxLength: 200 }),
});
const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 });

test('what the router writes the client reads', () => {
  fc.assert(
    fc.property(fc.array(told, { maxLength: 5 }), cuts, fc.nat(), (all, sizes, seed) => {
      const random = new Random(seed);
      const bytes = Buffer.concat(
        all.map((one) => encodeFrame(makeFrame(one.type, one.sequence, one.headers, one.body), random)),
      );
      const reader = new MessageReader('a router');
      const read: Told[] = [];
      for (const chunk of pieces(bytes, sizes)) {
        reader.push(chunk);
        for (let next = reader.next(); next; next = reader.next())
          read.push({ ...next, headers: new Map(next.headers) });
      }
      assert.deepEqual(read.map(plain), all.map(plain));
    }),
  );
});

test('what the client writes the router reads', () => {
  fc.assert(
    fc.property(fc.array(told, { maxLength: 5 }), cuts, (all, sizes) => {
      const bytes = Buffer.concat(
        all.map(({ type, sequence, headers: pairs, body }) => {
          const own = new Headers();
          for (const [key, value] of pairs) own.setBytes(key, value);
          return encodeMessage(type, sequence, own, body);
        }),
      );
      const decoder = new FrameDecoder();
      const read: Told[] = [];
      for (const chunk of pieces(bytes, sizes)) {
        decoder.push(chunk);
        for (let next = decoder.next(); next; next = decoder.next()) read.push(next);
      }
      assert.deepEqual(read.map(plain), all.map(plain));
    }),
  );
});

test('bytes that are no frame are refused by the router', () => {
  const decode = (hex: string) => () => {
    const decoder = new FrameDecoder();
    decoder.push(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    return decoder.next();
  };
  assert.throws(decode('0306090a 00000000 00000000 00000000 00000000'), /bad magic/);
  assert.throws(decode('0306090c 00000000 00000000 04000000 00000000 00000000'), /header cut/);
  assert.throws(decode('0306090c 00000000 00000000 08000000 00000000 01000000 01000000'), /header 1 of 1 bytes/);
  assert.throws(decode('0306090c 00000000 00000000 08000000 00000000 01000000 ffffffff'), /header 1 of -1 bytes/);
  assert.throws(
    decode('0306090c 00000000 00000000 00000000 ffffff7f'),
    new RegExp(`frame of ${2 ** 31 - 1 + 20} bytes`),
  );
  assert.ok(MAX_FRAME_BYTES < 2 ** 31);
});

test('the order of headers in a frame changes', () => {
  const random = new Random(1);
  const frame = makeFrame(1, 1, new Map([1, 2, 3, 4, 5].map((key) => [key, key])));
  const orders = new Set(Array.from({ length: 20 }, () => encodeFrame(frame, random).toString('hex')));
  assert.ok(orders.size > 10);
});

function pieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at < bytes.length) chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  if (at < bytes.length) chunks.push(bytes.subarray(at));
  return chunks;
}

function plain({ type, sequence, headers: pairs, body }: Told): unknown {
  const sorted = [...pairs].sort(([a], [b]) => a - b).map(([key, value]) => [key, Buffer.from(value).toString('hex')]);
  return { type, sequence, headers: sorted, body: Buffer.from(body).toString('hex') };
}
