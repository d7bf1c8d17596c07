// One message and its frame (openziti/channel message.go, marshalV2), all numbers little-endian:
//   magic 03 06 09 0c · type i32 · sequence i32 · length of headers u32 · length of body u32 · headers · body
//   a header: key i32 · length i32 · value
// Reading is message-reader.ts.

import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { Headers } from './headers.ts';

export interface Message {
  readonly type: number;
  readonly sequence: number;
  readonly headers: Headers;
  /** May be a view into a larger buffer, at most eight times the frame: who keeps many small ones copies them. */
  readonly body: Uint8Array;
}

/** 03 06 09 0c as the little-endian number it is read as. */
export const MAGIC = 0x0c090603;
/** The answer of a peer that does not understand our first bytes. */
export const UNKNOWN_VERSION_MAGIC = 0x0a090603;
/** Everything before the headers. */
export const PREFIX_BYTES = 20;
/** Key and length of one header. */
export const HEADER_PREFIX_BYTES = 8;

/** Header bytes and body in one buffer. */
export function encodeMessage(type: number, sequence: number, headers: Headers, body: Uint8Array): Buffer {
  const head = encodedHeadersBytes(headers) + PREFIX_BYTES;
  const frame = Buffer.allocUnsafe(head + body.length);
  writeHead(frame, type, sequence, headers, head - PREFIX_BYTES, body.length);
  frame.set(body, head);
  return frame;
}

/** Everything before the body, for a body that is written behind it without a copy. */
export function encodeHead(type: number, sequence: number, headers: Headers, bodyBytes: number): Buffer {
  const headerBytes = encodedHeadersBytes(headers);
  const head = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes);
  writeHead(head, type, sequence, headers, headerBytes, bodyBytes);
  return head;
}

export function encodedHeadersBytes(headers: Headers): number {
  let bytes = 0;
  for (const [, value] of headers) bytes += HEADER_PREFIX_BYTES + value.length;
  return bytes;
}

/** What we send obeys the caps that we set for others. Throws `frame_…`. */
export function checkSizes(headers: Headers, body: Uint8Array): void {
  if (body.length > LIMITS.frameBodyBytes) {
    throw new ZitiError('frame_body_too_large', `a message of ${body.length} bytes cannot be sent in one piece`);
  }
  if (headers.size > LIMITS.frameHeaders) {
    throw new ZitiError('frame_too_many_headers', `a message with ${headers.size} headers cannot be sent`);
  }
  if (encodedHeadersBytes(headers) > LIMITS.frameHeaderBytes) {
    throw new ZitiError('frame_headers_too_large', 'a message with such large headers cannot be sent');
  }
}

function writeHead(
  into: Buffer,
  type: number,
  sequence: number,
  headers: Headers,
  headerBytes: number,
  bodyBytes: number,
): void {
  into.writeUInt32LE(MAGIC, 0);
  into.writeInt32LE(type, 4);
  into.writeInt32LE(sequence, 8);
  into.writeUInt32LE(headerBytes, 12);
  into.writeUInt32LE(bodyBytes, 16);
  let at = PREFIX_BYTES;
  for (const [key, value] of headers) {
    into.writeInt32LE(key, at);
    into.writeInt32LE(value.length, at + 4);
    into.set(value, at + HEADER_PREFIX_BYTES);
    at += HEADER_PREFIX_BYTES + value.length;
  }
}
