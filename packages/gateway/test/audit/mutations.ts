// Everything that can be done to a log of some segments with one change, and how it has to be called. Each mutation is made
// when it is asked for: all of them together would be gigabytes.

import type { FindingClass } from '../../src/audit/verify/finding.ts';
import type { Sample } from './sample.ts';

/** `torn` and `ok`: what nobody can tell from a crash, or from a log that ended earlier. Anchors find these. */
export type Expected = FindingClass | 'torn' | 'ok';

export interface Mutation {
  readonly name: string;
  readonly expected: Expected;
  /** With a receipt of the last record, where that does not find it: nothing is lost. */
  readonly anchored?: Expected;
  /** Number of the first record that is not where it was. */
  readonly seq: number;
  segments(): (Buffer | undefined)[];
}

interface Spot {
  readonly seg: number;
  readonly at: number;
}

export function* flips(sample: Sample, bits: (seq: number, offset: number) => readonly number[]): Generator<Mutation> {
  for (const { line, seg, at, seq, last } of spots(sample)) {
    for (let offset = 0; offset < line.length; offset += 1) {
      for (const bit of bits(seq, offset)) {
        const changed = Buffer.from(line);
        changed[offset] = (line[offset] as number) ^ (1 << bit);
        yield {
          name: `flip bit ${bit} of byte ${offset} of record ${seq}`,
          expected: classOfFlip(line, changed, offset, last),
          seq,
          segments: () => files(replaced(sample, { seg, at }, [changed])),
        };
      }
    }
  }
}

/** Each newline, in all its bits: two records become one line. */
export function* gluings(sample: Sample): Generator<Mutation> {
  const ends = new Map([...spots(sample)].map(({ seq, line }) => [seq, line.length - 1]));
  yield* flips(sample, (seq, offset) => (offset === ends.get(seq) ? [0, 1, 2, 3, 4, 5, 6, 7] : []));
}

export function* deletions(sample: Sample): Generator<Mutation> {
  for (const { seg, at, seq, last } of spots(sample)) {
    const expected = last ? 'ok' : 'missing';
    yield { name: `delete record ${seq}`, expected, seq, segments: () => files(replaced(sample, { seg, at }, [])) };
  }
}

export function* duplications(sample: Sample): Generator<Mutation> {
  const all = [...spots(sample)];
  for (const { line, seq, seg } of all) {
    for (const to of all) {
      yield {
        name: `a copy of record ${seq} after record ${to.seq}`,
        expected: 'duplicated',
        seq: seq === to.seq + 1 && seg === to.seg ? seq + 1 : to.seq + 1,
        segments: () => files(replaced(sample, to, [to.line, line])),
      };
    }
  }
}

/** Every record to every other place; among them every swap of neighbours. */
export function* moves(sample: Sample): Generator<Mutation> {
  const all = [...spots(sample)];
  for (const from of all) {
    for (const to of all) {
      // After the one before it is where it is, unless that stands in another file.
      const stays = to.seq === from.seq || (to.seq === from.seq - 1 && to.seg === from.seg);
      if (stays) continue;
      const segments = (): (Buffer | undefined)[] => {
        const put = replaced(sample, to, [to.line, from.line]);
        put[from.seg]?.splice(from.at + (from.seg === to.seg && from.at > to.at ? 1 : 0), 1);
        return files(put);
      };
      yield {
        name: `record ${from.seq} moved after record ${to.seq}`,
        expected: 'reordered',
        seq: Math.min(from.seq, to.seq + 1),
        segments,
      };
    }
  }
}

/** Each record and the one after it. */
export function* swaps(sample: Sample): Generator<Mutation> {
  const all = [...spots(sample)];
  for (const [at, second] of all.entries()) {
    const first = all[at - 1];
    if (first === undefined) continue;
    const segments = (): (Buffer | undefined)[] => {
      const put = sample.segments.map((lines) => [...lines]);
      put[first.seg]?.splice(first.at, 1, second.line);
      put[second.seg]?.splice(second.at, 1, first.line);
      return files(put);
    };
    yield { name: `records ${first.seq} and ${second.seq} swapped`, expected: 'reordered', seq: first.seq, segments };
  }
}

/** The file of each segment cut at each byte. */
export function* cuts(sample: Sample): Generator<Mutation> {
  for (const [seg, lines] of sample.segments.entries()) {
    const whole = Buffer.concat(lines);
    const lastSegment = seg === sample.segments.length - 1;
    let left = 0;
    let end = 0;
    for (let bytes = 0; bytes < whole.length; bytes += 1) {
      if (bytes === end + (lines[left]?.length ?? 0)) {
        end = bytes;
        left += 1;
      }
      const missing = lines.length - left;
      yield {
        name: `segment ${seg + 1} cut to ${bytes} bytes`,
        expected: lastSegment
          ? bytes === end
            ? 'ok'
            : 'torn'
          : cutClass(bytes - end, lines[left]?.length ?? 0, left, missing),
        seq: seqOf(sample, seg, left),
        segments: () => files(sample.segments).map((one, at) => (at === seg ? whole.subarray(0, bytes) : one)),
      };
    }
  }
}

/** Each segment as it was when it had fewer records. */
export function* olderSegments(sample: Sample): Generator<Mutation> {
  for (const [seg, lines] of sample.segments.entries()) {
    const lastSegment = seg === sample.segments.length - 1;
    for (let records = 0; records < lines.length; records += 1) {
      const missing = lines.length - records;
      yield {
        name: `segment ${seg + 1} as it was with ${records} records`,
        expected: lastSegment ? 'ok' : endClass(records, missing),
        seq: seqOf(sample, seg, records),
        segments: () => files(sample.segments.map((one, at) => (at === seg ? lines.slice(0, records) : one))),
      };
    }
  }
}

export function* lostSegments(sample: Sample): Generator<Mutation> {
  for (const [seg] of sample.segments.entries()) {
    yield {
      name: `segment ${seg + 1} gone`,
      expected: seg === sample.segments.length - 1 ? 'ok' : 'missing',
      seq: seqOf(sample, seg, 0),
      segments: () => files(sample.segments).map((one, at) => (at === seg ? undefined : one)),
    };
  }
}

/** Records of another log under the same key put in, or in the place of ours. */
export function* splices(sample: Sample, other: Sample): Generator<Mutation> {
  const theirs = other.segments.flat();
  for (const { seg, at, seq, line } of spots(sample)) {
    const foreign = theirs[seq - 1] as Buffer;
    const put = (name: string, lines: readonly Buffer[], first: number): Mutation => ({
      name: `a foreign record ${name} record ${seq}`,
      expected: 'foreign log',
      seq: first,
      segments: () => files(replaced(sample, { seg, at }, lines)),
    });
    yield put('for', [foreign], seq);
    yield put('after', [line, foreign], seq + 1);
  }
  for (const [seg] of sample.segments.entries()) {
    yield {
      name: `segment ${seg + 1} of another log`,
      expected: 'foreign log',
      seq: seqOf(sample, seg, 0),
      segments: () => files(sample.segments.map((one, at) => (at === seg ? (other.segments[seg] ?? []) : one))),
    };
  }
}

/** Lines that nobody with the key made, between records: empty, text, a record that was changed. */
export function* insertions(sample: Sample): Generator<Mutation> {
  for (const { seg, at, seq, line, last } of spots(sample)) {
    const changed = line.toString().replace('"type":"', '"type":"x');
    for (const [name, text] of [
      ['an empty line', '\n'],
      ['words', 'hello\n'],
      ['a changed copy', changed],
    ] as const) {
      yield {
        name: `${name} after record ${seq}`,
        expected: last ? 'torn' : 'inserted',
        ...(last ? { anchored: 'torn' } : {}),
        seq: seq + 1,
        segments: () => files(replaced(sample, { seg, at }, [line, Buffer.from(text)])),
      };
    }
  }
}

/** MACs taken away, and versions that have none. */
export function* downgrades(sample: Sample): Generator<Mutation> {
  for (const { seg, at, seq, line, last } of spots(sample)) {
    const text = line.toString();
    const without = text.replace(/,"mac":"[0-9a-f]{64}"/, '');
    for (const [name, changed] of [
      ['without its MAC', without],
      ['with an empty MAC', text.replace(/"mac":"[0-9a-f]{64}"/, '"mac":""')],
      ['of version 0', text.replace('"v":1', '"v":0')],
      ['without MAC and hash', without.replace(/,"prev":"[0-9a-f]{64}"/, '')],
    ] as const) {
      yield {
        name: `record ${seq} ${name}`,
        expected: last ? 'torn' : 'downgraded',
        seq,
        segments: () => files(replaced(sample, { seg, at }, [Buffer.from(changed)])),
      };
    }
  }
}

/** Key ids exchanged: for one that is known, for one that is not. */
export function* keySwaps(sample: Sample, kids: readonly string[]): Generator<Mutation> {
  for (const { seg, at, seq, line, last } of spots(sample)) {
    for (const kid of kids) {
      const changed = Buffer.from(line.toString().replace(/"kid":"[^"]+"/, `"kid":"${kid}"`));
      yield {
        name: `record ${seq} under the name of key ${kid}`,
        // Before the first record nobody knows which key it should be.
        expected: last ? 'torn' : 'wrong key',
        seq,
        segments: () => files(replaced(sample, { seg, at }, [changed])),
      };
    }
  }
}

function* spots({ segments }: Sample): Generator<Spot & { line: Buffer; seq: number; last: boolean }> {
  let seq = 0;
  const count = segments.flat().length;
  for (const [seg, lines] of segments.entries()) {
    for (const [at, line] of lines.entries()) {
      seq += 1;
      yield { seg, at, line, seq, last: seq === count };
    }
  }
}

function replaced({ segments }: Sample, { seg, at }: Spot, lines: readonly Buffer[]): Buffer[][] {
  return segments.map((one, index) => (index === seg ? one.toSpliced(at, 1, ...lines) : [...one]));
}

function files(segments: readonly (readonly Buffer[])[]): (Buffer | undefined)[] {
  return segments.map((lines) => Buffer.concat(lines));
}

function seqOf({ segments }: Sample, seg: number, at: number): number {
  return segments.slice(0, seg).flat().length + at + 1;
}

/** One bit of a line changed. */
function classOfFlip(line: Buffer, changed: Buffer, offset: number, last: boolean): Expected {
  const splits = changed[offset] === 0x0a;
  if (last && !splits) return 'torn';
  const text = changed.toString('latin1');
  const kid = line.indexOf('"kid":"') + '"kid":"'.length;
  if (offset >= kid && offset < kid + 17 && /^[ke][0-9a-f]{16}$/.test(text.slice(kid, kid + 17))) return 'wrong key';
  return /^\{"v":[02-9],/.test(text) ? 'downgraded' : 'modified';
}

/** A file that others follow, cut within a line: `more` of its bytes are left. */
function cutClass(more: number, line: number, left: number, missing: number): Expected {
  if (more === 0) return endClass(left, missing);
  return more === line - 1 ? 'modified' : 'missing';
}

/** A file that others follow, without its last records. */
function endClass(left: number, missing: number): Expected {
  return left === 0 || missing === 1 ? 'missing' : 'rolled back';
}
