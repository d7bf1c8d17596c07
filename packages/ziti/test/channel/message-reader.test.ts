import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Headers } from '../../src/channel/headers.ts';
import { encodeHead, encodeMessage, type Message } from '../../src/channel/message.ts';
import { FRAME_CAPS, type FrameCaps, HELLO_CAPS, MessageReader } from '../../src/channel/message-reader.ts';
import { LIMITS } from '../../src/limits.ts';
import { hex, readAll } from './support.ts';

const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const headersOf = (entries: readonly [number, Uint8Array][]): Headers => {
  const headers = new Headers();
  for (const [key, value] of entries) headers.setBytes(key, value);
  return headers;
};
const message = fc.record({
  type: i32,
  sequence: i32,
  headers: fc
    .uniqueArray(fc.tuple(i32, fc.uint8Array({ maxLength: 40 })), { maxLength: 8, selector: ([key]) => key })
    .map(headersOf),
  body: fc.uint8Array({ maxLength: 300 }),
});
const encode = (one: Message): Buffer => encodeMessage(one.type, one.sequence, one.headers, one.body);
const plain = (one: Message) => ({
  ...one,
  headers: [...one.headers].map(([key, value]) => [key, Buffer.from(value).toString('hex')]),
  body: Buffer.from(one.body).toString('hex'),
});

test('what is encoded is what is read, wherever the bytes are split', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.array(fc.nat(400), { maxLength: 20 }), (messages, cuts) => {
      const bytes = Buffer.concat(messages.map(encode));
      const { read, error } = readAll(split(bytes, cuts));
      assert.equal(error, undefined);
      assert.deepEqual(read.map(plain), messages.map(plain));
    }),
  );
});

test('frames fed byte by byte, two at a time, and all at once are the same', () => {
  const frames = [
    encodeMessage(60786, 1, new Headers().setU32(1000, 1), Buffer.from('hello')),
    encodeMessage(60786, 2, new Headers(), Buffer.alloc(0)),
    encodeMessage(60785, 3, new Headers().setU32(1000, 1).setU32(1001, 9).setString(1026, ''), Buffer.alloc(700, 7)),
  ];
  const bytes = Buffer.concat(frames);
  const expected = readAll([bytes]).read.map(plain);
  assert.equal(expected.length, 3);
  for (let size = 1; size <= bytes.length; size += 1) {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    assert.deepEqual(readAll(chunks).read.map(plain), expected, `${size} bytes at a time`);
  }
});

test('the examples of the protocol description are read, and written the same', () => {
  const hello = hex('0306090c 00000000 ffffffff 0d000000 00000000 ea030000 05000000 544f4b454e');
  const [one] = readAll([hello]).read;
  assert.deepEqual([one?.type, one?.sequence, one?.headers.string(1002), one?.body.length], [0, -1, 'TOKEN', 0]);
  const data = hex(
    '0306090c 72ed0000 03000000 0c000000 16000000 e8030000 04000000 01000000 891a7b7c36cc2f39f0a9f0d5c9b262bcff980c338d93',
  );
  const [two] = readAll([data]).read;
  assert.deepEqual([two?.type, two?.sequence, two?.headers.u32(1000), two?.body.length], [60786, 3, 1, 22]);
  assert.ok(one && two);
  assert.ok(encode(one).equals(hello) && encode(two).equals(data));
});

test('a head and a body behind it are the same bytes as a whole frame', () => {
  const headers = new Headers().setU32(1000, 5).setBool(1012, true);
  const body = Buffer.from('body');
  const apart = Buffer.concat([encodeHead(60786, 4, headers, body.length), body]);
  assert.ok(apart.equals(encodeMessage(60786, 4, headers, body)));
});

const small: FrameCaps = { frameBytes: 400, headerBytes: 200, bodyBytes: 300, headers: 3 };
const filled = (length: number): Headers => new Headers().setBytes(1, Buffer.alloc(length - 8));

test('frames at every cap are read', () => {
  for (const frame of [
    encodeMessage(1, 1, filled(200), Buffer.alloc(180)),
    encodeMessage(1, 1, filled(80), Buffer.alloc(300)),
    encodeMessage(1, 1, new Headers().setU8(1, 1).setU8(2, 2).setU8(3, 3), Buffer.alloc(0)),
  ]) {
    assert.equal(readAll([frame], small).read.length, 1);
  }
});

const refused: readonly (readonly [string, Buffer])[] = [
  ['frame_headers_too_large', encodeMessage(1, 1, filled(201), Buffer.alloc(0))],
  ['frame_body_too_large', encodeMessage(1, 1, new Headers(), Buffer.alloc(301))],
  ['frame_too_large', encodeMessage(1, 1, filled(200), Buffer.alloc(181))],
  [
    'frame_too_many_headers',
    encodeMessage(1, 1, headersOf([1, 2, 3, 4].map((key) => [key, Buffer.alloc(1)])), Buffer.alloc(0)),
  ],
  ['frame_header_duplicate', withHeaders('01000000 00000000 01000000 00000000')],
  ['frame_headers_malformed', withHeaders('01000000 05000000 00000000')],
  ['frame_headers_malformed', withHeaders('01000000 ffffffff')],
  ['frame_headers_malformed', withHeaders('01000000 00000080')],
  ['frame_headers_malformed', withHeaders('01000000 000000')],
  ['frame_headers_malformed', withHeaders('01')],
  ['frame_bad_magic', hex('0306090b 00000000 00000000 00000000 00000000')],
  ['frame_bad_magic', Buffer.from('HTTP/1.1 400 Bad Request\r\n')],
  ['frame_version_unknown', hex('0306090a 02000000 01000000 02000000')],
];

test('each cap and each malformed frame has its own code, and the reader stays failed', () => {
  for (const [code, bytes] of refused) {
    for (const chunks of [[bytes], [...bytes].map((byte) => Buffer.of(byte))]) {
      const reader = new MessageReader('edge router tls:h:1', small);
      const read = (): void => {
        for (const chunk of chunks) {
          reader.push(chunk);
          assert.equal(reader.next(), undefined);
        }
      };
      assert.throws(read, { code, name: 'ZitiError', message: /^edge router tls:h:1 sent / }, code);
      assert.throws(() => reader.next(), { code });
      reader.push(encodeMessage(1, 1, new Headers(), Buffer.alloc(0)));
      assert.throws(() => reader.next(), { code });
    }
  }
});

test('frames before a broken one are delivered', () => {
  const good = encodeMessage(1, 1, new Headers(), Buffer.from('x'));
  const { read, error } = readAll([Buffer.concat([good, good, Buffer.from('junk')])]);
  assert.equal(read.length, 2);
  assert.equal(error, 'frame_bad_magic');
});

test('a wrong magic is refused before more bytes are waited for', () => {
  for (const [code, first] of [
    ['frame_bad_magic', hex('48545450')],
    ['frame_version_unknown', hex('0306090a')],
  ] as const) {
    const reader = new MessageReader('router');
    reader.push(first);
    assert.throws(() => reader.next(), { code });
  }
});

test('lengths are refused when they are announced, not when they have arrived', () => {
  const { frameBodyBytes, frameHeaderBytes, helloFrameBytes } = LIMITS;
  for (const [code, headerBytes, bodyBytes, caps] of [
    ['frame_body_too_large', 0, frameBodyBytes + 1, FRAME_CAPS],
    ['frame_body_too_large', 0, 2 ** 32 - 1, FRAME_CAPS],
    ['frame_headers_too_large', frameHeaderBytes + 1, 0, FRAME_CAPS],
    ['frame_headers_too_large', 2 ** 32 - 1, 2 ** 32 - 1, FRAME_CAPS],
    ['frame_too_large', 0, helloFrameBytes, HELLO_CAPS],
  ] as const) {
    assert.equal(readAll([prefix(headerBytes, bodyBytes)], caps).error, code);
  }
  assert.equal(readAll([prefix(frameHeaderBytes, frameBodyBytes)]).error, undefined);
});

test('memory grows with what arrived, not with what was announced', () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 20 }, () => {
    const reader = new MessageReader('router');
    reader.push(Buffer.concat([prefix(0, LIMITS.frameBodyBytes), Buffer.alloc(1)]));
    assert.equal(reader.next(), undefined);
    return reader;
  });
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < readers.length * 300 * 1024, `${grown} bytes for ${readers.length} announcements of 16 MiB`);
});

test('a message keeps at most eight times its size alive', () => {
  const chunk = Buffer.alloc(64 * 1024);
  const frame = encodeMessage(1, 1, new Headers().setU32(1000, 1), Buffer.alloc(100));
  for (let at = 0; at + frame.length <= chunk.length; at += frame.length) frame.copy(chunk, at);
  for (const size of [200, 500, 2000, 64 * 1024]) {
    const part = Buffer.allocUnsafeSlow(size);
    chunk.copy(part);
    for (const { body } of readAll([part.subarray(0, size - (size % frame.length))]).read) {
      assert.ok(body.buffer.byteLength <= 8 * frame.length, `${body.buffer.byteLength} bytes of ${size}`);
    }
  }
});

test('a frame of 16 MiB in chunks of any size is read in linear time', () => {
  const frame = encodeMessage(1, 1, new Headers(), Buffer.alloc(LIMITS.frameBodyBytes, 3));
  const spent = [4096, 64].map((size) => {
    const begun = process.cpuUsage();
    const reader = new MessageReader('router');
    let found = 0;
    for (let at = 0; at < frame.length; at += size) {
      reader.push(frame.subarray(at, at + size));
      if (reader.next()) found += 1;
    }
    assert.equal(found, 1);
    return process.cpuUsage(begun).user / 1000;
  });
  // Copying all again for each chunk would move two terabytes here.
  assert.ok((spent[1] ?? 0) < 5000, `${spent} ms`);
});

test('the reader says whether it stands inside a frame', () => {
  const frame = encodeMessage(1, 1, new Headers().setU8(1, 1), Buffer.from('xy'));
  const reader = new MessageReader('router');
  for (let at = 0; at < frame.length; at += 1) {
    assert.equal(reader.insideFrame, at > 0);
    reader.push(frame.subarray(at, at + 1));
    assert.equal(reader.next() !== undefined, at === frame.length - 1);
  }
  assert.equal(reader.insideFrame, false);
});

function withHeaders(section: string): Buffer {
  const bytes = hex(section);
  return Buffer.concat([prefix(bytes.length, 0), bytes]);
}

function prefix(headerBytes: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(20);
  hex('0306090c').copy(bytes);
  bytes.writeUInt32LE(headerBytes, 12);
  bytes.writeUInt32LE(bodyBytes, 16);
  return bytes;
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const cut of cuts) {
    chunks.push(bytes.subarray(at, at + cut));
    at += cut;
  }
  chunks.push(bytes.subarray(at));
  return chunks;
}
