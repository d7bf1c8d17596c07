// A pair of streams in memory with nothing of a socket but being a Duplex, as an overlay may hand them over.

import { Duplex } from 'node:stream';

export function duplexPair(): [Duplex, Duplex] {
  let left: End;
  let right: End;
  left = new End(() => right);
  right = new End(() => left);
  return [left, right];
}

class End extends Duplex {
  readonly #other: () => End;
  #wanted: (() => void) | undefined;

  constructor(other: () => End) {
    super();
    this.#other = other;
  }

  override _read(): void {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    wanted?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#other().#take(chunk, done);
  }

  override _final(done: () => void): void {
    this.#other().#take(null, done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.#other();
    done(error);
    if (!other.destroyed) setImmediate(() => other.destroy());
  }

  #take(chunk: Buffer | null, done: () => void): void {
    if (this.push(chunk) || chunk === null) setImmediate(done);
    else this.#wanted = done;
  }
}
