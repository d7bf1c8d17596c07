// The records that the log writes about itself, and how a reader gets them back. All others are events (event-body.ts).

import type { ChainState } from './chain.ts';
import { member } from './event-body.ts';
import { bitsSet, Tree } from './merkle.ts';

/** Of the segment before. */
export interface After {
  readonly seg: number;
  readonly seq: number;
  readonly hash: string;
  readonly root: string;
}

/** `segment.open`: what came before, enough to go on, and to check, from here. */
export function segmentOpenBody({ seg, seq, hash, tree }: ChainState): string {
  const after = seq === 0 ? null : { seg, seq, hash, root: tree.root().toString('hex') };
  return (
    member('after', after) +
    member(
      'peaks',
      tree.peaks.map((peak) => peak.toString('hex')),
    )
  );
}

export interface SegmentFacts {
  readonly count: number;
  readonly first: { readonly seq: number; readonly ts: string };
  readonly last: { readonly seq: number; readonly ts: string };
}

/** `segment.seal`: the root is that of all records before it, from the log's first on. */
export function segmentSealBody({ count, first, last }: SegmentFacts, tree: Tree): string {
  return (
    member('count', count) + member('first', first) + member('last', last) + member('root', tree.root().toString('hex'))
  );
}

/** The tree as it was before a `segment.open` with this number; undefined when its peaks do not fit. */
export function treeBefore(seq: number, peaks: unknown): Tree | undefined {
  if (!Array.isArray(peaks) || peaks.length !== bitsSet(seq - 1)) return undefined;
  if (!peaks.every((peak) => typeof peak === 'string' && /^[0-9a-f]{64}$/.test(peak))) return undefined;
  return new Tree(
    seq - 1,
    peaks.map((peak: string) => Buffer.from(peak, 'hex')),
  );
}

/** A record as JSON; it was authenticated before, so it is an object. */
export function parseRecord(line: Buffer): Readonly<Record<string, unknown>> {
  return JSON.parse(line.toString('utf8')) as Readonly<Record<string, unknown>>;
}
