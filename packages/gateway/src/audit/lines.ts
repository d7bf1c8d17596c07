// A file line by line in constant memory. A line longer than any of ours is given as its first bytes: whoever judges it sees
// by its length that it is none.

import type { AuditFile } from './files.ts';
import { AUDIT_LIMITS } from './limits.ts';

export interface Line {
  /** Without its newline; valid during the call only. */
  readonly bytes: Buffer;
  readonly offset: number;
  /** Offset after it and its newline. */
  readonly end: number;
  /** False only of what stands after the last newline. */
  readonly terminated: boolean;
}

const CHUNK = 256 * 1024;
const NEWLINE = 0x0a;
const EMPTY: Buffer = Buffer.alloc(0);
const KEPT = AUDIT_LIMITS.lineBytes + 1;

/** From `from` to the end. `take` answers false to stop. */
export async function eachLine(file: AuditFile, from: number, take: (line: Line) => boolean): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK);
  let carried: Buffer = EMPTY;
  let offset = from;
  let position = from;
  for (let read = await file.read(buffer, position); read > 0; read = await file.read(buffer, position)) {
    const chunk = buffer.subarray(0, read);
    let at = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      const piece = chunk.subarray(at, end);
      const bytes = carried === EMPTY ? piece : Buffer.concat([carried, piece]);
      const next = position + end + 1;
      if (!take({ bytes: bytes.subarray(0, KEPT), offset, end: next, terminated: true })) return;
      carried = EMPTY;
      offset = next;
      at = end + 1;
    }
    if (at < read && carried.length < KEPT) carried = Buffer.concat([carried, chunk.subarray(at, at + KEPT)]);
    position += read;
  }
  if (position > offset) take({ bytes: carried.subarray(0, KEPT), offset, end: position, terminated: false });
}
