// Mutates frames and looks whether reading them stays what it must be: an error of ours or messages, the same for every split
// of the same bytes, and the bytes again when the messages are encoded. Seeded: a failure names the seed that repeats it.

import assert from 'node:assert/strict';
import { Headers } from '../../src/channel/headers.ts';
import { encodeHello, readHelloAnswer } from '../../src/channel/hello.ts';
import { encodeMessage, type Message } from '../../src/channel/message.ts';
import { FRAME_CAPS, type FrameCaps, HELLO_CAPS } from '../../src/channel/message-reader.ts';
import { ZitiError } from '../../src/errors.ts';
import { type ReadResult, readAll } from './support.ts';

export interface FuzzReport {
  readonly inputs: number;
  readonly bytes: number;
  readonly messages: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly ms: number;
}

/** Low enough that mutations reach them. */
const LOW_CAPS: FrameCaps = { frameBytes: 600, headerBytes: 120, bodyBytes: 500, headers: 4 };
const CAPS = [FRAME_CAPS, HELLO_CAPS, LOW_CAPS] as const;
const KEYS = [0, 1, 2, 4, 8, 13, 128, 1000, 1002, 1003, 1011, 1014, 1024, 1026];
/** Lengths and counts that lie at borders. */
const EDGES = [
  0, 1, 7, 8, 9, 0x7f, 0xff, 0x100, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8, 0x01000000, 0x01000001,
];

export function fuzz(seed: number, until: { readonly ms?: number; readonly inputs?: number }): FuzzReport {
  const random = generator(seed);
  const corpus = seeds();
  const errors: Record<string, number> = {};
  const begun = performance.now();
  let [inputs, bytes, messages] = [0, 0, 0];
  const enough = (): boolean =>
    (until.inputs !== undefined && inputs >= until.inputs) ||
    (until.ms !== undefined && (inputs & 0xff) === 0 && performance.now() - begun >= until.ms);
  while (!enough()) {
    const input = mutate(corpus, random);
    const caps = CAPS[random(CAPS.length)] ?? FRAME_CAPS;
    const result = readAll([input], caps);
    try {
      check(input, result, caps, random);
    } catch (error) {
      throw new Error(`fuzz seed ${seed}, input ${inputs}: ${input.toString('hex').slice(0, 4000)}`, { cause: error });
    }
    if (result.error) errors[result.error] = (errors[result.error] ?? 0) + 1;
    inputs += 1;
    bytes += input.length;
    messages += result.read.length;
  }
  return { inputs, bytes, messages, errors, ms: performance.now() - begun };
}

function check(input: Buffer, result: ReadResult, caps: FrameCaps, random: Random): void {
  let at = 0;
  for (const message of result.read) {
    const again = encodeMessage(message.type, message.sequence, message.headers, message.body);
    if (again.compare(input, at, at + again.length) !== 0)
      assert.fail('a message encodes to other bytes than it came from');
    at += again.length;
    if (message.headers.size > caps.headers || message.body.length > caps.bodyBytes) assert.fail('a cap was passed');
    lookAt(message);
  }
  if (result.error && !/^frame_/.test(result.error)) assert.fail(`a reader failed with ${result.error}`);
  const rest = input.subarray(at);
  if (!result.error && rest.length >= 20 && 20 + rest.readUInt32LE(12) + rest.readUInt32LE(16) <= rest.length) {
    assert.fail('a whole frame was kept back');
  }
  if (random(4) > 0) return;
  const other = readAll(pieces(input, random), caps);
  if (other.error !== result.error || other.read.length !== result.read.length) {
    assert.fail(
      `split elsewhere: ${other.read.length} messages and ${other.error}, not ${result.read.length} and ${result.error}`,
    );
  }
  other.read.forEach((message, index) => {
    const whole = result.read[index];
    if (!whole || Buffer.compare(message.body, whole.body) !== 0) assert.fail('split elsewhere: another message');
  });
}

/** Everything that a channel or a connection asks of a message. */
function lookAt(message: Message): void {
  for (const key of KEYS) {
    const { headers } = message;
    if (!headers.has(key)) continue;
    headers.u8(key);
    headers.u16(key);
    headers.u32(key);
    headers.i32(key);
    headers.u64(key);
    headers.bool(key);
    headers.string(key);
  }
  try {
    readHelloAnswer(message, 'router');
  } catch (error) {
    if (!(error instanceof ZitiError) || !/^(hello_invalid|router_)/.test(error.code)) throw error;
    if (error.message.length > 400) assert.fail('an error text of any length');
  }
}

type Random = (below: number) => number;

/** mulberry32. */
function generator(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function seeds(): Buffer[] {
  const connected = new Headers()
    .setI32(1, 1)
    .setU32(1000, 1)
    .setString(1026, 'CIRC')
    .setBytes(1003, Buffer.alloc(32, 9));
  const answer = new Headers()
    .setI32(1, -1)
    .setBool(2, true)
    .setString(0, 'abcd')
    .setString(8, 'router')
    .setString(4, 'v1.6.0|x');
  return [
    encodeHello('TOKEN'),
    encodeMessage(2, -1, answer, Buffer.alloc(0)),
    encodeMessage(2, -1, new Headers().setI32(1, -1).setBool(2, false).setI32(13, 1), Buffer.from('busy')),
    encodeMessage(60784, 7, connected, Buffer.alloc(0)),
    encodeMessage(60786, 2, new Headers().setU32(1000, 1), Buffer.alloc(24, 1)),
    encodeMessage(60786, 3, new Headers().setU32(1000, 1).setU32(1010, 1), Buffer.alloc(0)),
    encodeMessage(60785, 4, new Headers().setU32(1000, 1), Buffer.from('session closed')),
    encodeMessage(3, 5, new Headers().setU64(128, 1n), Buffer.alloc(0)),
    Buffer.from('0306090a02000000010000000200000', 'hex'),
  ];
}

function mutate(corpus: readonly Buffer[], random: Random): Buffer {
  const frames: Buffer[] = [];
  for (let count = 1 + random(3); count > 0; count -= 1) frames.push(corpus[random(corpus.length)] ?? Buffer.alloc(0));
  let bytes: Buffer = Buffer.concat(frames);
  for (let rounds = random(4); rounds > 0 && bytes.length > 0; rounds -= 1) bytes = mutateOnce(bytes, corpus, random);
  return bytes;
}

function mutateOnce(bytes: Buffer, corpus: readonly Buffer[], random: Random): Buffer {
  const at = random(bytes.length);
  switch (random(8)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
      return bytes;
    case 1:
      bytes[at] = random(256);
      return bytes;
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + random(16)))]);
    case 4: {
      const other = corpus[random(corpus.length)] ?? bytes;
      const from = random(other.length);
      return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + random(40)), bytes.subarray(at)]);
    }
    case 5:
      // A number at a border, often at a place that is a length.
      if (bytes.length >= 20)
        bytes.writeUInt32LE(EDGES[random(EDGES.length)] ?? 0, pick([4, 8, 12, 16, at & ~3], random, bytes));
      return bytes;
    case 6: {
      // The same piece twice: duplicates of headers, most of all.
      const piece = bytes.subarray(at, at + 4 + random(20));
      return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    }
    default:
      return growHeaders(bytes, random);
  }
}

function pick(places: readonly number[], random: Random, bytes: Buffer): number {
  return Math.min(places[random(places.length)] ?? 0, bytes.length - 4);
}

/** Appends headers to the first frame and corrects its length, so that deeper checks are reached. */
function growHeaders(bytes: Buffer, random: Random): Buffer {
  if (bytes.length < 20) return bytes;
  const end = 20 + bytes.readUInt32LE(12);
  if (end > bytes.length) return bytes;
  const added: Buffer[] = [];
  for (let count = 1 + random(5); count > 0; count -= 1) {
    const header = Buffer.alloc(8 + random(12));
    header.writeInt32LE(KEYS[random(KEYS.length)] ?? random(2000), 0);
    header.writeUInt32LE(random(6) === 0 ? random(30) : header.length - 8, 4);
    added.push(header);
  }
  const grown = Buffer.concat([bytes.subarray(0, end), ...added, bytes.subarray(end)]);
  grown.writeUInt32LE(grown.length - bytes.length + end - 20, 12);
  return grown;
}

function* pieces(input: Buffer, random: Random): Iterable<Buffer> {
  const most = 1 + random(40);
  for (let at = 0; at < input.length; ) {
    const size = 1 + random(most);
    // A copy: what is read must not depend on what stands behind it.
    yield Buffer.from(input.subarray(at, at + size));
    at += size;
  }
}
