// T16: whatever is done to a log with one change is found, and called by its name. A fixed sample of each sort; all of them
// are in test/long/audit-mutations.long.ts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyRing, keyId } from '../../src/audit/keys.ts';
import { check, sampled } from './mutation-check.ts';
import * as every from './mutations.ts';
import { makeSample, OTHER_KEY, verifySegments } from './sample.ts';

const SEGMENTS = 3;
const RECORDS = 70;

const sample = await makeSample(SEGMENTS, RECORDS);
const other = await makeSample(SEGMENTS, RECORDS);
const ring = new KeyRing([sample.key, OTHER_KEY]);
const names = [keyId(OTHER_KEY, 'k'), `k${'0'.repeat(16)}`];

test('T16: a log that nobody touched is whole', async () => {
  const { status, records, segments, findings } = await verifySegments(
    sample,
    sample.segments.map((lines) => Buffer.concat(lines)),
  );
  assert.deepEqual({ status, records, segments, findings }, { status: 'ok', records: 210, segments: 3, findings: 0 });
});

const SORTS: Readonly<Record<string, () => Iterable<every.Mutation>>> = {
  'a byte changed anywhere is found': () => sampled(every.flips(sample, oneBit), 331),
  'two records made one by a bit of the newline between them are found, at the very end too': () =>
    every.gluings(sample),
  'every record that is deleted is missed': () => every.deletions(sample),
  'records that stand twice are found': () => sampled(every.duplications(sample), 197),
  'records that were moved are found': () => sampled(every.moves(sample), 197),
  'records changed with their neighbour are found': () => sampled(every.swaps(sample), 2),
  'a file cut within the log is found; the end of it looks like a crash': () => sampled(every.cuts(sample), 311),
  'a segment put back as it was before is found': () => sampled(every.olderSegments(sample), 3),
  'a segment that is gone is missed': () => every.lostSegments(sample),
  'records of another log under the same key are found': () => sampled(every.splices(sample, other), 3),
  'lines put between records are found': () => sampled(every.insertions(sample), 3),
  'records without a MAC, or of another version, are found': () => sampled(every.downgrades(sample), 3),
  'records under the name of another key are found': () => sampled(every.keySwaps(sample, names), 3),
};

for (const [title, mutations] of Object.entries(SORTS)) {
  test(`T16: ${title}`, async () => {
    assert.ok((await check(sample, mutations(), ring)) > 0);
  });
}

function oneBit(seq: number, offset: number): number[] {
  return [(seq + offset) % 8];
}
