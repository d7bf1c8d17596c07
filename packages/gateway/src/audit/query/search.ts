// Goes through a log's segments in order: those that cannot hold an answer are passed over by their facts, in the others the
// records that have every word are read and looked at. A call is put together from its intent and its outcome, wherever the
// outcome stands.

import type { Asked, Found } from './question.ts';
import { word } from './question.ts';
import { type AuditRecord, numberOf } from './record.ts';
import { type LogReading, openSegments, type Segment } from './segments.ts';

/** An outcome stands at most so many segments behind its intent; calls take minutes, segments hours. */
const SEGMENTS_AHEAD = 3;
/** Open at once: the current one, some ahead, some behind for intents of outcomes. */
const OPEN = 8;

export async function* search(reading: LogReading, asked: Asked): AsyncGenerator<Found> {
  const { numbers, open } = await openSegments(reading);
  const segments = cache(open);
  const shown = new Set<number>();
  try {
    for (const [at, seg] of numbers.entries()) {
      const segment = await segments.get(seg);
      if (!mayHold(segment, asked)) continue;
      for (const ordinal of candidates(segment, asked)) {
        const record = segment.record(ordinal);
        if (!asked.mayBe(record)) continue;
        const found = asked.byOutcome
          ? await withIntent(record, numbers.slice(0, at + 1), segments)
          : await withOutcome(record, numbers.slice(at, at + SEGMENTS_AHEAD), segments);
        const seq = numberOf(found.record, 'seq') ?? 0;
        if (!asked.fits(found) || (asked.byOutcome && shown.has(seq))) continue;
        if (asked.byOutcome) shown.add(seq);
        yield found;
      }
    }
  } finally {
    segments.close();
  }
}

function mayHold({ facts }: Segment, asked: Asked): boolean {
  const { firstSeq, count, firstMs, lastMs } = facts;
  if (count === 0) return false;
  // An outcome may stand a little behind what was asked for.
  if (asked.byOutcome) return true;
  return asked.within({ firstSeq, lastSeq: firstSeq + count - 1, firstMs, lastMs });
}

/** Records that have a word of every clause. */
function* candidates(segment: Segment, { clauses }: Asked): Generator<number> {
  const postings = segment.postings();
  const lists: (readonly number[])[] = [];
  for (const clause of clauses) {
    const each = clause.map((one) => postings.list(one));
    if (each.some((list) => list === undefined)) continue;
    lists.push([...new Set(each.flatMap((list) => list ?? []))].sort((a, b) => a - b));
  }
  lists.sort((a, b) => a.length - b.length);
  const [shortest, ...others] = lists;
  if (!shortest) {
    for (let at = 0; at < postings.count; at += 1) yield at;
    return;
  }
  const sets = others.map((list) => new Set(list));
  for (const at of shortest) if (sets.every((set) => set.has(at))) yield at;
}

async function withOutcome(record: AuditRecord, ahead: readonly number[], segments: SegmentCache): Promise<Found> {
  if (record.type !== 'call.intent') return { record };
  const seq = numberOf(record, 'seq') ?? 0;
  for (const seg of ahead) {
    const segment = await segments.get(seg);
    for (const at of segment.postings().list(word('of', seq)) ?? []) {
      const outcome = segment.record(at);
      if (outcome.type === 'call.outcome' && outcome.of === seq) return { record, outcome };
    }
  }
  return { record };
}

async function withIntent(record: AuditRecord, behind: readonly number[], segments: SegmentCache): Promise<Found> {
  const seq = numberOf(record, 'of');
  if (seq === undefined) return { record };
  for (const seg of [...behind].reverse()) {
    const segment = await segments.get(seg);
    const { firstSeq, count } = segment.facts;
    if (seq >= firstSeq + count) break;
    if (seq >= firstSeq) return { record: segment.record(seq - firstSeq), outcome: record };
  }
  return { record };
}

interface SegmentCache {
  get(seg: number): Promise<Segment>;
  close(): void;
}

function cache(open: (seg: number) => Promise<Segment>): SegmentCache {
  const opened = new Map<number, Segment>();
  return {
    get: async (seg) => {
      const known = opened.get(seg);
      if (known) return known;
      const segment = await open(seg);
      opened.set(seg, segment);
      const [oldest] = opened.keys();
      if (opened.size > OPEN && oldest !== undefined) {
        opened.get(oldest)?.close();
        opened.delete(oldest);
      }
      return segment;
    },
    close: () => {
      for (const segment of opened.values()) segment.close();
      opened.clear();
    },
  };
}
