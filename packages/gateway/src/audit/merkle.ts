// The Merkle tree of RFC 6962 2.1 over all records of a log, as it grows: what is kept is the roots of its whole subtrees,
// largest first (`peaks`, one for each bit of the size). The leaf of record `seq` has index seq - 1.

import { hash as hashOnce } from 'node:crypto';

const EMPTY = hashOnce('sha256', '', 'buffer');
const NODE = Buffer.of(1);

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hashOnce('sha256', Buffer.concat([NODE, left, right], 65), 'buffer');
}

export class Tree {
  #size: number;
  readonly #peaks: Buffer[];

  /** `peaks` must be as many as `size` has bits set. */
  constructor(size = 0, peaks: readonly Buffer[] = []) {
    this.#size = size;
    this.#peaks = [...peaks];
  }

  get size(): number {
    return this.#size;
  }

  get peaks(): readonly Buffer[] {
    return this.#peaks;
  }

  add(leaf: Buffer): void {
    let node = leaf;
    // Each trailing one of the size is a whole subtree as large as the new one.
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2)
      node = nodeHash(this.#peaks.pop() as Buffer, node);
    this.#peaks.push(node);
    this.#size += 1;
  }

  root(): Buffer {
    return (
      this.#peaks.reduceRight<Buffer | undefined>((right, left) => (right ? nodeHash(left, right) : left), undefined) ??
      EMPTY
    );
  }

  copy(): Tree {
    return new Tree(this.#size, this.#peaks);
  }
}

export function bitsSet(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
