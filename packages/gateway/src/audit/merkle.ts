// The Merkle tree of RFC 6962 2.1 over all records of a log, as it grows: what is kept is the roots of its whole subtrees,
// largest first (`peaks`, one for each bit of the size). The leaf of record `seq` has index seq - 1.

import { sha256, sha256Latin1 } from './sha256.ts';

const EMPTY = sha256(Buffer.alloc(0));
/** 0x01 ‖ left ‖ right. */
const node = Buffer.alloc(65, 1);

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  node.set(left, 1);
  node.set(right, 33);
  return sha256(node);
}

function nodeLatin1(left: string, right: string): string {
  node.write(left, 1, 'latin1');
  node.write(right, 33, 'latin1');
  return sha256Latin1(node);
}

export class Tree {
  #size: number;
  /** A character for each byte: one grows by every record, and strings are cheaper to make and to drop than buffers. */
  readonly #peaks: string[];

  /** `peaks` must be as many as `size` has bits set. */
  constructor(size = 0, peaks: readonly Buffer[] = []) {
    this.#size = size;
    this.#peaks = peaks.map((peak) => peak.toString('latin1'));
  }

  get size(): number {
    return this.#size;
  }

  get peaks(): readonly Buffer[] {
    return this.#peaks.map((peak) => Buffer.from(peak, 'latin1'));
  }

  add(leaf: Buffer): void {
    this.addLatin1(leaf.toString('latin1'));
  }

  addLatin1(leaf: string): void {
    let added = leaf;
    // Each trailing one of the size is a whole subtree as large as the new one.
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2)
      added = nodeLatin1(this.#peaks.pop() as string, added);
    this.#peaks.push(added);
    this.#size += 1;
  }

  root(): Buffer {
    const root = this.#peaks.reduceRight<string | undefined>(
      (right, left) => (right === undefined ? left : nodeLatin1(left, right)),
      undefined,
    );
    return root === undefined ? EMPTY : Buffer.from(root, 'latin1');
  }

  copy(): Tree {
    const copy = new Tree(this.#size);
    copy.#peaks.push(...this.#peaks);
    return copy;
  }
}

export function bitsSet(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
