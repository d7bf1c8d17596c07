// Puts one batch into the log or nothing of it: the chain, the file and the facts of the segment move together. Seals a
// segment that is full or old, begins the next.

import { join } from 'node:path';
import type { AuditReceipt } from './audit-log.ts';
import { segmentOpenBody, segmentSealBody } from './bodies.ts';
import type { Chain, ChainState, Moment } from './chain.ts';
import { type AuditClock, timestamps } from './clock.ts';
import type { AuditFiles } from './files.ts';
import { LineBatch } from './line-batch.ts';
import { segmentName } from './record.ts';
import { type Ends, Segment, type SegmentFile, type SegmentFill } from './segment.ts';
import type { WritingKeys } from './writing-keys.ts';

export interface Entry {
  readonly type: string;
  /** Members with a comma before each. */
  readonly body: string | ((seq: number) => string);
  readonly at: Moment;
}

type Batch = readonly [Entry, ...Entry[]];

export interface CommitterOptions {
  readonly folder: string;
  readonly files: AuditFiles;
  readonly chain: Chain;
  readonly clock: AuditClock;
  readonly keys: WritingKeys;
  readonly rotate: { readonly bytes: number; readonly ms: number };
  /** Reads a file back. */
  readonly holds: SegmentFile['holds'];
  /** What is gone on with; undefined: the next record begins a segment. */
  readonly segment: Segment | undefined;
}

export class Committer {
  readonly #o: CommitterOptions;
  #keys: WritingKeys;
  #segment: Segment | undefined;
  /** A file of a segment that was never begun and could not be removed. */
  #leftover = false;
  #sealed = false;
  readonly #timestamp = timestamps();
  /** One batch at a time. */
  readonly #lines = new LineBatch();

  constructor(options: CommitterOptions) {
    this.#o = options;
    this.#keys = options.keys;
    this.#segment = options.segment;
  }

  get head(): AuditReceipt {
    const { log, seq, hash } = this.#o.chain;
    return { log, seq, hash: `sha256:${hash}` };
  }

  /** Whether the last commit ended a segment. */
  get sealed(): boolean {
    return this.#sealed;
  }

  now(): Moment {
    const { clock } = this.#o;
    return { ts: this.#timestamp(clock.wall()), mono: clock.mono() };
  }

  /** From the next record on. */
  useKeys(keys: WritingKeys): void {
    this.#keys = keys;
  }

  /** Receipts in the order of the batch. `sync`: it is on the disk when it resolves. */
  async commit(batch: readonly Entry[], sync: boolean, seal: boolean): Promise<AuditReceipt[]> {
    this.#sealed = false;
    if (this.#segment?.isHurt) await this.#segment.mend();
    if (this.#segment && (seal || this.#isDue(this.#segment)))
      await this.#seal(this.#segment, batch[0]?.at ?? this.now());
    const [entry, ...entries] = batch;
    if (entry === undefined) {
      if (sync) await this.#segment?.sync();
      return [];
    }
    const { chain } = this.#o;
    const before = chain.state();
    const known = this.#segment;
    try {
      const segment = known ?? (await this.#begin(before.seg + 1));
      return await this.#write(segment, [entry, ...entries], sync, known === undefined ? before : undefined);
    } catch (error) {
      chain.returnTo(before);
      if (known === undefined) await this.#forget(before.seg + 1);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#segment?.close();
    this.#segment = undefined;
  }

  /** `after`: the segment is new, and this came before it. */
  async #write(segment: Segment, batch: Batch, sync: boolean, after: ChainState | undefined): Promise<AuditReceipt[]> {
    const { chain, files, folder } = this.#o;
    const lines = this.#lines;
    lines.clear();
    let count = 0;
    let { first, last } = segment.fill ?? { first: undefined, last: undefined };
    const add = ({ type, body, at }: Entry): AuditReceipt => {
      lines.add(chain.add(type, typeof body === 'string' ? body : body(chain.seq + 1), at, this.#keys));
      count += 1;
      last = { seq: chain.seq, ts: at.ts };
      first ??= last;
      return this.head;
    };
    const [{ at }] = batch;
    if (after !== undefined) add({ type: 'segment.open', body: segmentOpenBody(after), at });
    const receipts = batch.map(add);
    const { bytes } = lines;
    await segment.write(bytes);
    if (sync) await segment.sync();
    if (sync && after !== undefined) await files.syncFolder(folder);
    segment.accept(count, bytes.length, { first, last } as Ends, chain.state());
    return receipts;
  }

  #isDue(segment: Segment): boolean {
    const { rotate, clock } = this.#o;
    return segment.bytes >= rotate.bytes || clock.mono() - segment.openedAt >= rotate.ms;
  }

  /** On the disk whatever the durability: nothing of a later segment must outlive it. */
  async #seal(segment: Segment, at: Moment): Promise<void> {
    const { chain } = this.#o;
    const before = chain.state();
    try {
      await this.#write(
        segment,
        [{ type: 'segment.seal', body: segmentSealBody(segment.fill as SegmentFill, before.tree), at }],
        true,
        undefined,
      );
    } catch (error) {
      chain.returnTo(before);
      throw error;
    }
    this.#segment = undefined;
    this.#sealed = true;
    await segment.close();
  }

  async #begin(seg: number): Promise<Segment> {
    const { folder, files, chain, clock, holds } = this.#o;
    const path = join(folder, segmentName(seg));
    await this.#keys.readyFor(seg, chain.state());
    if (this.#leftover) await files.unlink(path);
    const file = await files.create(path);
    this.#leftover = false;
    chain.nextSegment();
    this.#segment = new Segment(file, { folder, path, files, holds }, clock.mono());
    return this.#segment;
  }

  /** Nobody was told of anything in it. */
  async #forget(seg: number): Promise<void> {
    const { folder, files } = this.#o;
    if (this.#segment === undefined) return;
    await this.#segment.close().catch(() => {});
    this.#segment = undefined;
    this.#leftover = true;
    await files.unlink(join(folder, segmentName(seg))).then(
      () => {
        this.#leftover = false;
      },
      () => {},
    );
  }
}
