// What waits to be sent, cut into pieces that share a channel fairly, and small writes joined into one piece while the channel
// has no room anyway.

/** Plaintext of one frame. Large frames are legal; other streams of the channel wait behind each. */
export const PIECE_BYTES = 16 * 1024;

export class OutPieces {
  #chunks: Uint8Array[] = [];
  #first = 0;
  /** Taken of the first chunk. */
  #offset = 0;

  get empty(): boolean {
    return this.#first === this.#chunks.length;
  }

  add(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
  }

  /** The next piece, 1 to PIECE_BYTES long: a view where it lies in one chunk. There must be one. */
  take(): Uint8Array {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    while (bytes < PIECE_BYTES && !this.empty) {
      const part = this.#part(PIECE_BYTES - bytes);
      parts.push(part);
      bytes += part.length;
    }
    const [only] = parts;
    return parts.length === 1 && only ? only : Buffer.concat(parts, bytes);
  }

  #part(atMost: number): Uint8Array {
    const chunk = this.#chunks[this.#first] ?? new Uint8Array(0);
    const part = chunk.subarray(this.#offset, this.#offset + atMost);
    this.#offset += part.length;
    if (this.#offset < chunk.length) return part;
    this.#offset = 0;
    this.#first += 1;
    if (this.empty) {
      this.#chunks = [];
      this.#first = 0;
    }
    return part;
  }
}
