// The lines of one batch, put together in a buffer that is used again: at one call at a time every record is a batch.

/** What most batches need; a longer buffer does not outlive its batch. */
const KEPT = 64 * 1024;

export class LineBatch {
  #buffer = Buffer.allocUnsafeSlow(KEPT);
  #length = 0;

  clear(): void {
    if (this.#buffer.length > KEPT) this.#buffer = Buffer.allocUnsafeSlow(KEPT);
    this.#length = 0;
  }

  add(line: Uint8Array): void {
    const end = this.#length + line.length;
    if (end > this.#buffer.length) {
      const longer = Buffer.allocUnsafeSlow(Math.max(end, this.#buffer.length * 2));
      longer.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = longer;
    }
    this.#buffer.set(line, this.#length);
    this.#length = end;
  }

  /** Until it is cleared. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}
