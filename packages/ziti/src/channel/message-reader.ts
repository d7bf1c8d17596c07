// Turns the bytes of a channel into messages: chunks of any size in, whole messages out, one at a time, so that whoever reads
// can stop between two. No socket inside. Every length is checked before anything of it is kept; memory grows with what has
// arrived, never with what was announced; a frame is copied at most once until it is large (then at most twice).
// Invariant: after an error the reader is of no use, and says the same error again.

import { ZitiError, type ZitiErrorCode } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { Headers } from './headers.ts';
import { HEADER_PREFIX_BYTES, MAGIC, type Message, PREFIX_BYTES, UNKNOWN_VERSION_MAGIC } from './message.ts';

export interface FrameCaps {
  /** All of a frame. */
  readonly frameBytes: number;
  readonly headerBytes: number;
  readonly bodyBytes: number;
  readonly headers: number;
}

export const FRAME_CAPS: FrameCaps = {
  frameBytes: PREFIX_BYTES + LIMITS.frameHeaderBytes + LIMITS.frameBodyBytes,
  headerBytes: LIMITS.frameHeaderBytes,
  bodyBytes: LIMITS.frameBodyBytes,
  headers: LIMITS.frameHeaders,
};

/** Until the router has answered the Hello. */
export const HELLO_CAPS: FrameCaps = { ...FRAME_CAPS, frameBytes: LIMITS.helloFrameBytes };

/** Up to here a frame is given its room at once, beyond as its bytes arrive. */
const ROOM_AT_ONCE_BYTES = 256 * 1024;
/** A frame may keep alive a chunk so many times its own size. Smaller ones are copied. */
const MAX_KEPT_RATIO = 8;
const NOTHING = Buffer.alloc(0);

export class MessageReader {
  /** May be changed between two frames. */
  caps: FrameCaps;
  readonly #peer: string;
  /** The present chunk and how far it is read. */
  #chunk: Buffer = NOTHING;
  #at = 0;
  /** First bytes of a frame that a chunk ended in. */
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixBytes = 0;
  /** Set while a frame's headers and body are awaited. */
  #type = 0;
  #sequence = 0;
  #headerBytes = 0;
  /** Headers and body. */
  #dataBytes = -1;
  #data: Buffer = NOTHING;
  #filled = 0;
  #failure: ZitiError | undefined;

  /** `peer` begins the error texts. */
  constructor(peer: string, caps: FrameCaps = FRAME_CAPS) {
    this.#peer = peer;
    this.caps = caps;
  }

  /** Bytes of the chunk that `next` has not looked at. */
  get unread(): number {
    return this.#chunk.length - this.#at;
  }

  /** Whether a frame has begun and not ended. */
  get insideFrame(): boolean {
    return this.#prefixBytes > 0 || this.#dataBytes >= 0 || this.unread > 0;
  }

  /** Keeps the chunk until it is read: its owner must not write into it. */
  push(chunk: Buffer): void {
    this.#chunk = this.unread === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** The next whole message, or undefined when more bytes are needed. Throws `frame_…`. */
  next(): Message | undefined {
    if (this.#failure) throw this.#failure;
    if (this.#dataBytes < 0 && !this.#readPrefix()) return undefined;
    const data = this.#readData();
    if (!data) return undefined;
    const headers = this.#readHeaders(data, this.#headerBytes);
    this.#dataBytes = -1;
    return { type: this.#type, sequence: this.#sequence, headers, body: data.subarray(this.#headerBytes) };
  }

  /** True: the frame's lengths are known and allowed. */
  #readPrefix(): boolean {
    if (this.#prefixBytes === 0 && this.unread >= PREFIX_BYTES) {
      this.#takePrefix(this.#chunk, this.#at);
      this.#at += PREFIX_BYTES;
      return true;
    }
    const take = Math.min(PREFIX_BYTES - this.#prefixBytes, this.unread);
    this.#chunk.copy(this.#prefix, this.#prefixBytes, this.#at, this.#at + take);
    this.#at += take;
    this.#prefixBytes += take;
    if (this.#prefixBytes < PREFIX_BYTES) {
      // The answer "unknown version" may be shorter than a frame, and a stranger may wait for us.
      if (this.#prefixBytes >= 4) this.#checkMagic(this.#prefix, 0);
      return false;
    }
    this.#prefixBytes = 0;
    this.#takePrefix(this.#prefix, 0);
    return true;
  }

  #takePrefix(from: Buffer, at: number): void {
    this.#checkMagic(from, at);
    this.#type = from.readInt32LE(at + 4);
    this.#sequence = from.readInt32LE(at + 8);
    const headerBytes = from.readUInt32LE(at + 12);
    const bodyBytes = from.readUInt32LE(at + 16);
    const { caps } = this;
    if (headerBytes > caps.headerBytes) {
      throw this.#fail('frame_headers_too_large', `${headerBytes} bytes of headers, ${caps.headerBytes} are allowed`);
    }
    if (bodyBytes > caps.bodyBytes) {
      throw this.#fail('frame_body_too_large', `a body of ${bodyBytes} bytes, ${caps.bodyBytes} are allowed`);
    }
    const frameBytes = PREFIX_BYTES + headerBytes + bodyBytes;
    if (frameBytes > caps.frameBytes) {
      throw this.#fail('frame_too_large', `a frame of ${frameBytes} bytes, ${caps.frameBytes} are allowed here`);
    }
    this.#headerBytes = headerBytes;
    this.#dataBytes = headerBytes + bodyBytes;
    this.#filled = 0;
  }

  #checkMagic(from: Buffer, at: number): void {
    const magic = from.readUInt32LE(at);
    if (magic === MAGIC) return;
    if (magic === UNKNOWN_VERSION_MAGIC) {
      throw this.#fail('frame_version_unknown', 'that it does not understand this version of the channel protocol');
    }
    throw this.#fail('frame_bad_magic', 'something that is not a frame');
  }

  /** Headers and body in one piece: a view into the chunk, or a buffer of their own. */
  #readData(): Buffer | undefined {
    const bytes = this.#dataBytes;
    if (this.#filled === 0) {
      if (bytes === 0) return NOTHING;
      if (this.unread >= bytes) {
        const view = this.#chunk.subarray(this.#at, this.#at + bytes);
        this.#at += bytes;
        return view.buffer.byteLength > (bytes + PREFIX_BYTES) * MAX_KEPT_RATIO ? ownCopy(view) : view;
      }
      if (this.unread === 0) return undefined;
      this.#data = Buffer.allocUnsafeSlow(Math.min(bytes, Math.max(ROOM_AT_ONCE_BYTES, this.unread)));
    }
    const take = Math.min(bytes - this.#filled, this.unread);
    this.#makeRoom(this.#filled + take);
    this.#chunk.copy(this.#data, this.#filled, this.#at, this.#at + take);
    this.#at += take;
    this.#filled += take;
    if (this.#filled < bytes) return undefined;
    const data = this.#data;
    this.#data = NOTHING;
    return data;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#data.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.min(this.#dataBytes, Math.max(bytes, this.#data.length * 2)));
    this.#data.copy(larger, 0, 0, this.#filled);
    this.#data = larger;
  }

  #readHeaders(data: Buffer, end: number): Headers {
    const headers = new Headers();
    let at = 0;
    while (at < end) {
      if (end - at < HEADER_PREFIX_BYTES) throw this.#fail('frame_headers_malformed', 'headers that end in the middle');
      const key = data.readInt32LE(at);
      const length = data.readUInt32LE(at + 4);
      at += HEADER_PREFIX_BYTES;
      if (length > end - at) throw this.#fail('frame_headers_malformed', 'a header that is longer than all of them');
      if (headers.has(key)) throw this.#fail('frame_header_duplicate', `header ${key} twice in one frame`);
      if (headers.size === this.caps.headers) {
        throw this.#fail('frame_too_many_headers', `more than ${this.caps.headers} headers in one frame`);
      }
      headers.setBytes(key, data.subarray(at, at + length));
      at += length;
    }
    return headers;
  }

  #fail(code: ZitiErrorCode, what: string): ZitiError {
    this.#failure = new ZitiError(code, `${this.#peer} sent ${what}`);
    this.#chunk = NOTHING;
    this.#at = 0;
    this.#data = NOTHING;
    return this.#failure;
  }
}

/** Not from the pool, whose slabs others would keep alive. */
function ownCopy(view: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(view.length);
  view.copy(copy);
  return copy;
}
