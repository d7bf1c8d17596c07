// Frames as a router writes and reads them (openziti/channel message.go: MarshalV2, ReadV2). Headers leave in an order that
// nobody may rely on: Go walks a map, we shuffle.

import type { Random } from '../random.ts';
import { type HeaderValue, headerBytes } from './wire.ts';

export interface Frame {
  readonly type: number;
  readonly sequence: number;
  readonly headers: ReadonlyMap<number, Buffer>;
  readonly body: Buffer;
}

/** Far above what any test sends; the format itself has no limit. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
const MAGIC = Buffer.of(3, 6, 9, 12);
const FIXED_BYTES = 20;

export function makeFrame(
  type: number,
  sequence: number,
  headers: ReadonlyMap<number, HeaderValue>,
  body: Uint8Array | string = '',
): Frame {
  const values = new Map([...headers].map(([key, value]) => [key, headerBytes(value)]));
  return { type, sequence, headers: values, body: Buffer.from(body as Uint8Array) };
}

export function encodeFrame(frame: Frame, random: Random): Buffer {
  const section = Buffer.concat(
    random.shuffled([...frame.headers]).flatMap(([key, value]) => [ints(key, value.length), value]),
  );
  return Buffer.concat([
    MAGIC,
    ints(frame.type, frame.sequence, section.length, frame.body.length),
    section,
    frame.body,
  ]);
}

export class FrameDecoder {
  #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The next whole frame. Throws when the bytes are none. */
  next(): Frame | undefined {
    if (this.#bytes < FIXED_BYTES) return undefined;
    const head = this.#peek(FIXED_BYTES);
    if (!head.subarray(0, 4).equals(MAGIC)) throw new Error(`bad magic ${head.toString('hex', 0, 4)}`);
    const headerLength = head.readUInt32LE(12);
    const bodyLength = head.readUInt32LE(16);
    const whole = FIXED_BYTES + headerLength + bodyLength;
    if (whole > MAX_FRAME_BYTES) throw new Error(`frame of ${whole} bytes`);
    if (this.#bytes < whole) return undefined;
    const bytes = this.#peek(whole);
    const rest = this.#chunks[0] as Buffer;
    this.#chunks[0] = rest.subarray(whole);
    this.#bytes -= whole;
    const section = bytes.subarray(FIXED_BYTES, FIXED_BYTES + headerLength);
    return {
      type: bytes.readInt32LE(4),
      sequence: bytes.readInt32LE(8),
      headers: readHeaders(section),
      body: bytes.subarray(FIXED_BYTES + headerLength),
    };
  }

  /** The first `count` bytes, joined in the first chunk. */
  #peek(count: number): Buffer {
    const [first] = this.#chunks;
    if (first && first.length >= count) return first.subarray(0, count);
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined.subarray(0, count);
  }
}

function readHeaders(section: Buffer): Map<number, Buffer> {
  const headers = new Map<number, Buffer>();
  let at = 0;
  while (at < section.length) {
    if (at + 8 > section.length) throw new Error('header cut');
    const key = section.readInt32LE(at);
    const length = section.readInt32LE(at + 4);
    if (length < 0 || at + 8 + length > section.length) throw new Error(`header ${key} of ${length} bytes`);
    headers.set(key, section.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return headers;
}

function ints(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeInt32LE(value, 4 * index);
  });
  return bytes;
}
