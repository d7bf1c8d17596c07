// One line looked at by itself: is it a record, and did somebody with the key make it? Where it belongs is for others.

import type { KeyRing } from './keys.ts';
import { LineHash } from './line-hash.ts';
import { MAC_BYTES, type RecordHead, type RecordTail, readHead, readTail } from './record.ts';

export type Inspected =
  | { readonly is: 'record'; readonly head: RecordHead; readonly tail: RecordTail }
  /** Nobody can say: its key is not in the ring. */
  | { readonly is: 'unknown-key'; readonly head: RecordHead; readonly tail: RecordTail }
  /** A record in form, its MAC is not of its key. */
  | { readonly is: 'forged'; readonly head: RecordHead; readonly tail: RecordTail }
  | { readonly is: 'garbage' };

const GARBAGE: Inspected = { is: 'garbage' };

export class Inspector {
  readonly #ring: KeyRing;
  readonly #line = new LineHash();

  constructor(ring: KeyRing) {
    this.#ring = ring;
  }

  /** `lastSeg`: no record is of a later segment. A key that evolves is not run ahead for whatever number stands in a line. */
  inspect(line: Buffer, lastSeg: number): Inspected {
    const head = readHead(line);
    const tail = readTail(line);
    if (!head || !tail || !this.#line.load(line)) return GARBAGE;
    if (head.seg > lastSeg) return { is: 'forged', head, tail };
    const mac = this.#ring.mac(head.kid, head.seg);
    if (!mac) return { is: 'unknown-key', head, tail };
    return { is: this.#line.mac(mac, MAC_BYTES) === tail.mac ? 'record' : 'forged', head, tail };
  }

  /** Whether it is a record of which nothing but the name of its key was changed. Forgets the line. */
  isRenamed(line: Buffer, lastSeg: number): boolean {
    const text = line.toString('latin1');
    return this.#ring.kids().some((kid) => {
      const renamed = Buffer.from(text.replace(/"kid":"[^"]{17}"/, `"kid":"${kid}"`), 'latin1');
      return this.inspect(renamed, lastSeg).is === 'record';
    });
  }

  /** Of the line inspected last. */
  hash(): string {
    return this.#line.hash();
  }

  leaf(): Buffer {
    return this.#line.leaf();
  }
}
