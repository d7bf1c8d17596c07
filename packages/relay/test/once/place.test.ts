import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { Ledger, temporaryLedger } from '../../src/index.ts';
import { callKey } from '../../src/once/key.ts';
import { isAlive, thisWriter } from '../../src/once/writer.ts';

test('a ledger of a share that nobody comes back to goes with it; what a killed process left goes with the next', async () => {
  const root = await mkdtemp(join(tmpdir(), 'ledgers-'));
  try {
    const dead = '+temporary-999999999-1-abcdefabcdef';
    const share = 'temporary-999999999-1-abcdefabcdef';
    await mkdir(join(root, dead));
    await mkdir(join(root, share));
    const place = await temporaryLedger(root);
    const ledger = await Ledger.open(place);
    ledger.start(callKey('ab'.repeat(16), 1), 7);
    await temporaryLedger(root);
    assert.deepEqual((await readdir(root)).sort(), [basename(place.folder), share].sort());
    await ledger.close();
    assert.deepEqual(await readdir(root), [share]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test('a process is told from another that has its number now', () => {
  const us = thisWriter();
  assert.equal(isAlive(us), true);
  if (us.start !== '-') assert.equal(isAlive({ ...us, start: `${us.start}0` }), false);
  assert.equal(isAlive({ pid: 999_999_999, start: '-' }), false);
});
