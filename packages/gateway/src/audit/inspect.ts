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

const MAC_END = /"mac":"[0-9a-f]{64}"\}/g;
/** Arguments that are recorded in clear may look so, too; each try hashes a line. */
const MAX_TRIES = 8;
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

  /**
   * Whether a whole record stands at its beginning, and behind it something else than the newline that was written with it. No
   * crash does that: it leaves a beginning of what was written, or zeros. One byte more may be that newline, damaged: of the very last
   * record nobody can say. Forgets the line.
   */
  isGlued(line: Buffer, lastSeg: number): boolean {
    let tries = 0;
    for (const { index, 0: end } of line.toString('latin1').matchAll(MAC_END)) {
      const next = index + end.length;
      tries += 1;
      if (next + 1 >= line.length || tries > MAX_TRIES) return false;
      if (line[next] !== 0 && this.inspect(line.subarray(0, next), lastSeg).is === 'record') return true;
    }
    return false;
  }

  /** Of the line inspected last. */
  hash(): string {
    return this.#line.hash();
  }

  leaf(): Buffer {
    return this.#line.leaf();
  }
}
