// A log read record by record. While all is well each record must be the next one. After the first finding the walk goes on
// from whatever genuine record comes, because what follows tells what was done: a record that is missing here and stands
// further on was moved. Memory is constant: only the first finding is kept, and counted what else is wrong.

import { type After, parseRecord, treeBefore } from '../bodies.ts';
import { type Inspected, Inspector } from '../inspect.ts';
import { commitment, type KeyRing } from '../keys.ts';
import type { Line } from '../lines.ts';
import { Tree } from '../merkle.ts';
import { NO_HASH, type RecordHead } from '../record.ts';
import type { Anchor } from './anchors.ts';
import { classOfBadLine } from './bad-line.ts';
import type { Finding, FindingClass } from './finding.ts';

export interface WalkOptions {
  readonly log: string;
  readonly ring: KeyRing;
  /** Of this log. */
  readonly anchors: readonly Anchor[];
  /** The walk begins at a segment's first record, and takes what came before as that record tells it. */
  readonly fromSegment: boolean;
}

export interface Walked {
  readonly first: Finding | undefined;
  /** Findings in all. */
  readonly findings: number;
  readonly records: number;
  /** Records whose key is not in the ring: they hang together, more cannot be said. */
  readonly unverifiable: { readonly count: number; readonly kid: string; readonly seq: number } | undefined;
  readonly head: { readonly seq: number; readonly hash: string };
  readonly root: string | undefined;
  /** Bytes at the very end that are no whole record. */
  readonly torn: { readonly seg: number; readonly offset: number; readonly bytes: number } | undefined;
  /** How often the wall clock went back. */
  readonly clockBack: number;
  readonly anchors: number;
}

interface Bad {
  readonly class: FindingClass;
  readonly seg: number;
  readonly offset: number;
  readonly bytes: number;
  /** No crash left it, though nothing follows. */
  readonly done: boolean;
}

interface First {
  finding: Finding;
  /** Records that were expected there and did not come: [finding.seq, gapEnd]. */
  readonly gapEnd: number;
  /** The record that came instead. */
  readonly jumper: number;
}

export class Walk {
  readonly #o: WalkOptions;
  readonly #inspector: Inspector;
  readonly #hashAnchors = new Map<number, string>();
  readonly #rootAnchors = new Map<number, string>();
  #seg = 0;
  #offset = 0;
  /** Genuine records of this file. */
  #inFile = 0;
  #seq = 0;
  #hash = NO_HASH;
  /** undefined: what came before is not known. */
  #tree: Tree | undefined = new Tree();
  #kid: string | undefined;
  #sealed = false;
  #ts = '';
  /** Whatever comes first is the beginning. */
  #begins: boolean;
  /** A bad line: only a torn end, if nothing follows. */
  #bad: Bad | undefined;
  /** Bad lines stand between the last record and the next; `first`: the first finding is among them. */
  #badRun: { readonly first: boolean } | undefined;
  #first: First | undefined;
  #findings = 0;
  #records = 0;
  #unknown: { count: number; readonly kid: string; readonly seq: number } | undefined;
  #clockBack = 0;
  #anchored = 0;

  constructor(options: WalkOptions) {
    this.#o = options;
    this.#inspector = new Inspector(options.ring);
    this.#begins = options.fromSegment;
    for (const { seq, hash, root } of options.anchors) {
      if (hash !== undefined) this.#hashAnchors.set(seq, hash);
      if (root !== undefined) this.#rootAnchors.set(seq, root);
    }
  }

  beginFile(seg: number): void {
    this.#seg = seg;
    this.#inFile = 0;
    this.#offset = 0;
  }

  take(line: Line, lastSeg: number): void {
    this.#settleBad();
    this.#offset = line.offset;
    const seen = this.#inspector.inspect(line.bytes, lastSeg);
    const otherKey = seen.is !== 'garbage' && this.#isOtherKey(seen.head, line.bytes, lastSeg, seen.is);
    if (line.terminated && (seen.is === 'record' || (seen.is === 'unknown-key' && !otherKey))) {
      this.#record(line, seen);
      return;
    }
    const found = line.terminated
      ? classOfBadLine(line.bytes, seen, otherKey)
      : this.#classOfCut(line.bytes, seen, lastSeg);
    const done = this.#seg === lastSeg && this.#inspector.isGlued(line.bytes, lastSeg);
    this.#bad = { class: found, seg: this.#seg, offset: line.offset, bytes: line.end - line.offset, done };
  }

  end(): Walked {
    const torn = (this.#sealed && this.#inFile > 0) || this.#bad?.done ? undefined : this.#bad;
    if (torn === undefined) this.#settleBad();
    this.#findUnreached();
    const unverifiable = this.#unknown;
    return {
      first: this.#first?.finding,
      findings: this.#findings,
      records: this.#records,
      unverifiable,
      head: { seq: this.#seq, hash: this.#hash },
      root: this.#tree?.root().toString('hex'),
      torn: torn && { seg: torn.seg, offset: torn.offset, bytes: torn.bytes },
      clockBack: this.#clockBack,
      anchors: this.#anchored,
    };
  }

  /** The first record names the key; a line that would be it under another name does not. */
  #isOtherKey({ kid }: RecordHead, line: Buffer, lastSeg: number, is: Inspected['is']): boolean {
    if (this.#kid !== undefined) return kid !== this.#kid;
    if (is === 'record') return false;
    const renamed = this.#inspector.isRenamed(line, lastSeg);
    this.#inspector.inspect(line, lastSeg);
    return renamed;
  }

  /** No newline at its end: of a file that others follow, somebody cut it, or changed only that byte. */
  #classOfCut(bytes: Buffer, seen: Inspected, lastSeg: number): FindingClass {
    const whole = seen.is === 'record' || this.#inspector.inspect(bytes.subarray(0, -1), lastSeg).is === 'record';
    return whole ? 'modified' : 'missing';
  }

  #settleBad(): void {
    const bad = this.#bad;
    if (bad === undefined) return;
    this.#bad = undefined;
    const found = this.#sealed && this.#inFile > 0 && bad.class === 'modified' ? 'inserted' : bad.class;
    const first = this.#find(found, bad);
    this.#badRun = { first: first || this.#badRun?.first === true };
  }

  #record(line: Line, { is, head, tail }: Exclude<Inspected, { is: 'garbage' }>): void {
    if (head.log !== this.#o.log) {
      this.#find('foreign log', line);
      return;
    }
    if (this.#begins) this.#beginAt(line, head, tail.prev);
    const next = this.#seq + 1;
    if (head.seq < next) {
      this.#seenBefore(head.seq, line);
      return;
    }
    const follows = head.seq === next && tail.prev === this.#hash;
    if (head.seq > next) {
      if (this.#badRun === undefined) this.#findGap(head.seq, line);
    } else if (!follows) {
      this.#find('rolled back', line);
    } else if (this.#badRun) {
      // What stands before it is one too many.
      if (this.#badRun.first) this.#reclass('inserted');
    } else if (this.#kid !== undefined && head.kid !== this.#kid) {
      this.#find('wrong key', line);
    }
    if (follows && this.#isMisplaced(head)) this.#find('reordered', line, { gapEnd: 0, jumper: head.seq });
    if (is === 'unknown-key') {
      this.#unknown ??= { count: 0, kid: head.kid, seq: head.seq };
      this.#unknown.count += 1;
    }
    this.#accept(line, head, follows);
  }

  #accept(line: Line, head: RecordHead, follows: boolean): void {
    this.#badRun = undefined;
    this.#kid = head.kid;
    this.#seq = head.seq;
    this.#hash = this.#inspector.hash();
    if (!follows) this.#tree = undefined;
    const leaf = this.#inspector.leaf();
    if (OF_THE_LOG.has(head.type)) this.#ofTheLog(line, head);
    this.#tree?.add(leaf);
    this.#sealed = head.type === 'segment.seal';
    this.#inFile += 1;
    this.#records += 1;
    if (head.ts < this.#ts) this.#clockBack += 1;
    this.#ts = head.ts;
    this.#compare(head.seq, line);
  }

  /** Records that say something about the chain: true, since they are genuine, unless whoever wrote them was not us. */
  #ofTheLog(line: Line, { type, seq, seg }: RecordHead): void {
    const body = parseRecord(line.bytes);
    if (type === 'key.rotate') {
      const to = String(body.to);
      const secret = this.#o.ring.secretIn(to, seg);
      if (secret && commitment(secret, this.#o.log, seq) !== body.commit) this.#find('wrong key', line);
      this.#kid = to;
      return;
    }
    const root = this.#tree?.root().toString('hex');
    if (type === 'segment.seal') {
      if (root !== undefined && body.root !== root) this.#find('modified', line);
      return;
    }
    const after = body.after as After | null;
    if (root !== undefined && seq > 1 && (after?.root !== root || after.seq !== seq - 1)) this.#find('modified', line);
    this.#tree ??= treeBefore(seq, body.peaks);
  }

  #beginAt(line: Line, head: RecordHead, prev: string): void {
    this.#begins = false;
    this.#seq = head.seq - 1;
    this.#hash = prev;
    this.#tree = head.type === 'segment.open' ? treeBefore(head.seq, parseRecord(line.bytes).peaks) : undefined;
  }

  #isMisplaced({ seg, type }: RecordHead): boolean {
    return seg !== this.#seg || (type === 'segment.open') !== (this.#inFile === 0);
  }

  #findGap(seq: number, line: Line): void {
    const missing = seq - this.#seq - 1;
    // The end of a file that is not sealed, seal and all: it is as it was before.
    const older = this.#inFile === 0 && !this.#sealed && this.#seq > 0 && missing > 1;
    this.#find(older ? 'rolled back' : 'missing', line, { gapEnd: seq - 1, jumper: seq });
  }

  /** A genuine record with a number that was passed. */
  #seenBefore(seq: number, line: Line): void {
    const first = this.#first;
    if (first && seq >= first.finding.seq && seq <= first.gapEnd) this.#reclass('reordered');
    else if (first?.jumper === seq) this.#reclass('duplicated');
    else this.#find('duplicated', line);
  }

  #compare(seq: number, line: Line): void {
    const hash = this.#hashAnchors.get(seq);
    const root = this.#tree && this.#rootAnchors.get(seq);
    if (hash !== undefined) this.#anchored += 1;
    if (root !== undefined) this.#anchored += 1;
    const other =
      (hash !== undefined && hash !== this.#hash) ||
      (root !== undefined && root !== this.#tree?.root().toString('hex'));
    if (other) this.#find('rolled back', line, undefined, seq);
  }

  #findUnreached(): void {
    const last = Math.max(0, ...this.#hashAnchors.keys(), ...this.#rootAnchors.keys());
    if (last > this.#seq) this.#find('truncated vs anchor', { offset: this.#offset });
  }

  /** Whether it is the first. */
  #find(
    found: FindingClass,
    at: { readonly offset: number; readonly seg?: number },
    gap = { gapEnd: 0, jumper: 0 },
    seq = this.#seq + 1,
  ): boolean {
    this.#findings += 1;
    if (this.#first !== undefined) return false;
    this.#first = { finding: { class: found, seq, seg: at.seg ?? this.#seg, offset: at.offset }, ...gap };
    return true;
  }

  #reclass(found: FindingClass): void {
    if (this.#first) this.#first.finding = { ...this.#first.finding, class: found };
  }
}

const OF_THE_LOG = new Set(['segment.open', 'segment.seal', 'key.rotate']);
