// Makes records: each with the hash of the one before it, and a MAC. It runs ahead of the disk by one batch; a mark is taken
// before, and what could not be written is taken back by returning to it.

import type { MacKey } from './line-hash.ts';
import { LineHash } from './line-hash.ts';
import { Tree } from './merkle.ts';
import { headText, macText, NO_HASH, prevText } from './record.ts';

/** How far a chain is. */
export interface ChainState {
  readonly seg: number;
  readonly seq: number;
  /** Hex, of the last record's line. */
  readonly hash: string;
  readonly tree: Tree;
}

/** When something happened. */
export interface Moment {
  readonly ts: string;
  readonly mono: number;
}

export const EMPTY_CHAIN: ChainState = { seg: 0, seq: 0, hash: NO_HASH, tree: new Tree() };

export class Chain {
  readonly log: string;
  readonly #boot: string;
  readonly #line = new LineHash();
  #seg: number;
  #seq: number;
  #hash: string;
  #tree: Tree;

  constructor(log: string, boot: string, state: ChainState) {
    this.log = log;
    this.#boot = boot;
    this.#seg = state.seg;
    this.#seq = state.seq;
    this.#hash = state.hash;
    this.#tree = state.tree.copy();
  }

  /** A copy that later records do not change. */
  state(): ChainState {
    return { seg: this.#seg, seq: this.#seq, hash: this.#hash, tree: this.#tree.copy() };
  }

  returnTo(state: ChainState): void {
    this.#seg = state.seg;
    this.#seq = state.seq;
    this.#hash = state.hash;
    this.#tree = state.tree.copy();
  }

  nextSegment(): void {
    this.#seg += 1;
  }

  get seq(): number {
    return this.#seq;
  }

  get hash(): string {
    return this.#hash;
  }

  /** The record's line, only until the next one is added. `body`: empty, or members with a comma before each. */
  add(
    type: string,
    body: string,
    { ts, mono }: Moment,
    key: { readonly kid: string; readonly mac: MacKey },
  ): Uint8Array {
    const { log } = this;
    const boot = this.#boot;
    const head = { log, seg: this.#seg, seq: this.#seq + 1, ts, mono, boot, kid: key.kid, type };
    this.#line.loadText(headText(head) + body + prevText(this.#hash));
    this.#line.append(macText(this.#line.mac(key.mac)));
    this.#seq += 1;
    this.#hash = this.#line.hash();
    this.#tree.addLatin1(this.#line.leafLatin1());
    return this.#line.line();
  }
}
