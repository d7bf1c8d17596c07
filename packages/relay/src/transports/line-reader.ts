// Bytes become lines: the floor under every stream of messages. Fed chunk by chunk, holds no socket.
// Invariant: time is linear in the bytes, memory is bounded by `maxBytes` (and by the chunk), whatever the pieces are.

import { GLIMPSE_BYTES } from '../json-peek.ts';
import type { LongLine } from '../json-rpc.ts';

export interface LineHandlers {
  /** A line without its newline, never empty (a lone `\r` is empty too). May be a view on the chunk. */
  onLine(line: Buffer): void;
  /** It was longer than `maxBytes` and is gone, but for its ends. Told when its newline has come. */
  onTooLong(line: LongLine): void;
}

const LINE_FEED = 0x0a;
const RETURN = 0x0d;
/** Pieces smaller than this are gathered, so that a line that comes byte by byte is not a list of a million buffers. */
const BLOCK_BYTES = 16 * 1024;
/** A line that fills less of its chunk's memory than this is copied, so that it does not keep the whole of it. */
const PINNED_RATIO = 8;

export class LineReader {
  readonly #maxBytes: number;
  readonly #handlers: LineHandlers;
  /** Of the line that has begun. */
  #parts: Buffer[] = [];
  #block: Buffer | undefined;
  #filled = 0;
  #size = 0;
  #skipped: Skipped | undefined;

  constructor(maxBytes: number, handlers: LineHandlers) {
    this.#maxBytes = maxBytes;
    this.#handlers = handlers;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end < 0) break;
      if (this.#size === 0 && end - start <= this.#maxBytes) this.#give(unpinned(chunk, start, end));
      else {
        this.#keep(chunk.subarray(start, end));
        this.#finish();
      }
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(start === 0 ? chunk : chunk.subarray(start));
  }

  /** The input has ended: a last line without newline is a line. */
  end(): void {
    if (this.#size > 0) this.#finish();
  }

  #keep(piece: Buffer): void {
    this.#size += piece.length;
    if (this.#skipped === undefined && this.#size > this.#maxBytes) {
      this.#skipped = new Skipped();
      for (const part of this.#take()) this.#skipped.add(part);
    }
    if (this.#skipped !== undefined) {
      this.#skipped.add(piece);
    } else if (piece.length >= BLOCK_BYTES / 4 || this.#size === piece.length) {
      this.#seal();
      this.#parts.push(piece);
    } else {
      if (this.#filled + piece.length > BLOCK_BYTES) this.#seal();
      this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES);
      this.#filled += piece.copy(this.#block, this.#filled);
    }
  }

  #seal(): void {
    if (this.#block === undefined) return;
    this.#parts.push(this.#block.subarray(0, this.#filled));
    this.#block = undefined;
    this.#filled = 0;
  }

  #take(): Buffer[] {
    this.#seal();
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  #finish(): void {
    const skipped = this.#skipped;
    const bytes = this.#size;
    this.#skipped = undefined;
    this.#size = 0;
    if (skipped !== undefined) this.#handlers.onTooLong({ bytes, head: skipped.head(), tail: skipped.tail() });
    else this.#give(Buffer.concat(this.#take(), bytes));
  }

  #give(line: Buffer): void {
    if (line.length > 1 || (line.length === 1 && line[0] !== RETURN)) this.#handlers.onLine(line);
  }
}

/** A line that is being skipped: its first and its last bytes. */
class Skipped {
  readonly #head = Buffer.allocUnsafeSlow(GLIMPSE_BYTES);
  #headBytes = 0;
  /** Twice as much as is wanted, so that it is moved once per GLIMPSE_BYTES. */
  readonly #tail = Buffer.allocUnsafeSlow(2 * GLIMPSE_BYTES);
  #tailBytes = 0;

  add(piece: Buffer): void {
    this.#headBytes += piece.copy(this.#head, this.#headBytes);
    const last = piece.length > GLIMPSE_BYTES ? piece.subarray(-GLIMPSE_BYTES) : piece;
    if (this.#tailBytes + last.length > this.#tail.length) {
      this.#tail.copyWithin(0, this.#tailBytes - GLIMPSE_BYTES, this.#tailBytes);
      this.#tailBytes = GLIMPSE_BYTES;
    }
    this.#tailBytes += last.copy(this.#tail, this.#tailBytes);
  }

  head(): Buffer {
    return this.#head.subarray(0, this.#headBytes);
  }

  tail(): Buffer {
    return this.#tail.subarray(Math.max(0, this.#tailBytes - GLIMPSE_BYTES), this.#tailBytes);
  }
}

function unpinned(chunk: Buffer, start: number, end: number): Buffer {
  const line = chunk.subarray(start, end);
  return (end - start) * PINNED_RATIO < chunk.buffer.byteLength ? Buffer.from(line) : line;
}
