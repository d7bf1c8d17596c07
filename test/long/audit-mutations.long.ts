// T16, all of it: 3 segments of 70 records; a bit of every byte, every record deleted, doubled and moved to every place,
// every cut. Each is found and called by its name. Ten minutes of a processor.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeyRing, keyId } from '../../packages/gateway/src/audit/keys.ts';
import { check } from '../../packages/gateway/test/audit/mutation-check.ts';
import * as every from '../../packages/gateway/test/audit/mutations.ts';
import { makeSample, OTHER_KEY } from '../../packages/gateway/test/audit/sample.ts';

const sample = await makeSample(3, 70);
const other = await makeSample(3, 70);
const ring = new KeyRing([sample.key, OTHER_KEY]);
const names = [keyId(OTHER_KEY, 'k'), `k${'0'.repeat(16)}`];
const oneBit = (seq: number, offset: number): number[] => [(seq + offset) % 8];

const SORTS: Readonly<Record<string, () => Iterable<every.Mutation>>> = {
  'one bit of each byte': () => every.flips(sample, oneBit),
  'every record deleted': () => every.deletions(sample),
  'every record doubled at every place': () => every.duplications(sample),
  'every record moved to every place': () => every.moves(sample),
  'every record swapped with the next': () => every.swaps(sample),
  'every file cut at every byte': () => every.cuts(sample),
  'every segment as it was before': () => every.olderSegments(sample),
  'every segment lost': () => every.lostSegments(sample),
  'every record replaced by one of another log': () => every.splices(sample, other),
  'lines put between all records': () => every.insertions(sample),
  'every record downgraded': () => every.downgrades(sample),
  'every record under another name of key': () => every.keySwaps(sample, names),
};

for (const [title, mutations] of Object.entries(SORTS)) {
  test(`T16: ${title}`, async (t) => {
    const count = await check(sample, mutations(), ring);
    t.diagnostic(`${count} mutations`);
    assert.ok(count > 0);
  });
}
