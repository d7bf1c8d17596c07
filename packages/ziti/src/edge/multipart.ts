// Several messages in one frame, each behind its length (u16, little-endian). Nobody may send us such frames, for we never say
// that we take them; a peer that does is understood all the same (openziti/sdk-golang chunk_reader.go).

import { ZitiError } from '../errors.ts';

const LENGTH_BYTES = 2;

/** Views of the parts that hold anything. Throws `connection_violation`. */
export function splitMultipart(frame: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < frame.length; ) {
    const start = at + LENGTH_BYTES;
    const end = start <= frame.length ? start + frame.readUInt16LE(at) : Number.POSITIVE_INFINITY;
    if (end > frame.length) {
      throw new ZitiError('connection_violation', 'the other end sent a frame of several messages that is cut off');
    }
    if (end > start) parts.push(frame.subarray(start, end));
    at = end;
  }
  return parts;
}
