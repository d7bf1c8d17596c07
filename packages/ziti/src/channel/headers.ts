// The headers of one message: int32 keys, bytes as values, any order, keys unique (openziti/channel message.go). All numbers
// are little-endian. A getter whose value has another length than its type answers undefined, as Go does: a header of the
// wrong size is an absent header.

export class Headers implements Iterable<[number, Uint8Array]> {
  readonly #values = new Map<number, Uint8Array>();

  get size(): number {
    return this.#values.size;
  }

  has(key: number): boolean {
    return this.#values.has(key);
  }

  /** As it came; a view, not a copy. */
  bytes(key: number): Uint8Array | undefined {
    return this.#values.get(key);
  }

  u8(key: number): number | undefined {
    return this.#sized(key, 1)?.readUInt8(0);
  }

  u16(key: number): number | undefined {
    return this.#sized(key, 2)?.readUInt16LE(0);
  }

  u32(key: number): number | undefined {
    return this.#sized(key, 4)?.readUInt32LE(0);
  }

  i32(key: number): number | undefined {
    return this.#sized(key, 4)?.readInt32LE(0);
  }

  u64(key: number): bigint | undefined {
    return this.#sized(key, 8)?.readBigUInt64LE(0);
  }

  /** Any byte but 0 is true. */
  bool(key: number): boolean | undefined {
    const byte = this.u8(key);
    return byte === undefined ? undefined : byte !== 0;
  }

  /** UTF-8; what is not valid is replaced. A peer's text: make it printable before it is shown. */
  string(key: number): string | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : viewOf(value).toString('utf8');
  }

  /** Keeps `value`, does not copy it. */
  setBytes(key: number, value: Uint8Array): this {
    this.#values.set(key, value);
    return this;
  }

  setU8(key: number, value: number): this {
    return this.setBytes(key, Uint8Array.of(value));
  }

  setU16(key: number, value: number): this {
    const bytes = Buffer.allocUnsafe(2);
    bytes.writeUInt16LE(value);
    return this.setBytes(key, bytes);
  }

  setU32(key: number, value: number): this {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeUInt32LE(value);
    return this.setBytes(key, bytes);
  }

  setI32(key: number, value: number): this {
    const bytes = Buffer.allocUnsafe(4);
    bytes.writeInt32LE(value);
    return this.setBytes(key, bytes);
  }

  setU64(key: number, value: bigint): this {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigUInt64LE(value);
    return this.setBytes(key, bytes);
  }

  setBool(key: number, value: boolean): this {
    return this.setU8(key, value ? 1 : 0);
  }

  setString(key: number, value: string): this {
    return this.setBytes(key, Buffer.from(value, 'utf8'));
  }

  [Symbol.iterator](): IterableIterator<[number, Uint8Array]> {
    return this.#values.entries();
  }

  #sized(key: number, length: number): Buffer | undefined {
    const value = this.#values.get(key);
    return value?.length === length ? viewOf(value) : undefined;
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
