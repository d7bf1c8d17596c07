// What a verifier knows besides the log: anchors, where to begin, keys; and what it says when it cannot say.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuditError } from '../../src/audit/errors.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import { verifierKey } from '../../src/audit/note.ts';
import { segmentName } from '../../src/audit/record.ts';
import { type Anchor, parseAnchors, parseTyped } from '../../src/audit/verify/anchors.ts';
import { FINDINGS } from '../../src/audit/verify/finding.ts';
import { MemoryFiles } from '../../src/testing/memory-files.ts';
import { BASE, call, KEY, makeSample, OTHER_KEY, openSample, type Sample, verify, verifySegments } from './sample.ts';

const whole = (sample: Sample): Buffer[] => sample.segments.map((lines) => Buffer.concat(lines));

function anchorOf(sample: Sample, at: number): Anchor {
  const receipt = sample.receipts.at(at);
  assert.ok(receipt);
  return { log: receipt.log, seq: receipt.seq, hash: receipt.hash.slice(7), from: 'receipt' };
}

test('T16: yesterday’s folder is found by a receipt of today, also when it was gone on with', async () => {
  await using sample = await openSample();
  const { log, files, folder } = sample;
  for (let n = 0; n < 20; n += 1) await log.append(call(n));
  const yesterday = files.copy();
  for (let n = 0; n < 20; n += 1) await log.append(call(n));
  const receipt = log.state().head;
  const anchors: Anchor[] = [{ log: log.id, seq: receipt.seq, hash: receipt.hash.slice(7), from: 'x' }];
  assert.equal((await verify(files, { id: log.id, key: KEY }, { anchors })).status, 'ok');
  const cut = await verify(yesterday, { id: log.id, key: KEY }, { anchors });
  assert.deepEqual([cut.status, cut.first?.class, cut.first?.seq], ['tampered', 'truncated vs anchor', 23]);

  const again = await openSample({ files: yesterday });
  assert.equal(again.folder, folder, 'it goes on: nobody can tell from the log itself');
  for (let n = 0; n < 30; n += 1) await again.log.append(call(1000 + n));
  await again.log.close();
  const back = await verify(yesterday, { id: log.id, key: KEY }, { anchors });
  assert.deepEqual([back.status, back.first?.class, back.first?.seq], ['tampered', 'rolled back', receipt.seq]);
});

test('T16: two histories under one key do not pass for one', async () => {
  await using sample = await openSample();
  const { log, files, folder } = sample;
  await log.append(call(1));
  const fork = files.copy();
  await log.append(call(2));
  const other = await openSample({ files: fork });
  for (let n = 0; n < 3; n += 1) await other.log.append(call(n));
  await other.log.close();
  const path = join(folder, segmentName(1));
  const ours = files.get(path).toString().split('\n');
  const theirs = fork.get(path).toString().split('\n');
  // Our first four records, then theirs from the fifth on.
  files.put(path, Buffer.from([...ours.slice(0, 4), ...theirs.slice(4)].join('\n')));
  const { first } = await verify(files, { id: log.id, key: KEY });
  assert.deepEqual([first?.class, first?.seq], ['rolled back', 5]);
});

test('anchors hold against a log that is whole, those of other logs are not its own', async () => {
  const sample = await makeSample(2, 10);
  const anchors = [anchorOf(sample, 0), anchorOf(sample, -1), { ...anchorOf(sample, -1), log: 'other', seq: 999 }];
  const verdict = await verifySegments(sample, whole(sample), { anchors });
  assert.deepEqual([verdict.status, verdict.anchors], ['ok', 2]);
});

test('anchors are read from receipts, a checkpoint, or typed; a last line that was cut is passed over', () => {
  const hash = 'ab'.repeat(32);
  assert.deepEqual(parseTyped(`7:sha256:${hash}`, 'x'), { log: undefined, seq: 7, hash, from: 'x' });
  assert.deepEqual(parseAnchors(`7:${hash}\n`, 'x'), [{ log: undefined, seq: 7, hash, from: 'x' }]);
  const receipt = JSON.stringify({ log: 'l', seq: 3, hash: `sha256:${hash}`, at: 'now' });
  assert.deepEqual(parseAnchors(`${receipt}\n\n${receipt}\n{"log":`, 'x'), [
    { log: 'l', seq: 3, hash, from: 'x' },
    { log: 'l', seq: 3, hash, from: 'x' },
  ]);
  for (const text of ['', 'hello', `{}\n${receipt}`, '{"log":"l","seq":"3","hash":"x"}', '[1]\n[2]', 'null\n1']) {
    assert.throws(
      () => parseAnchors(text, 'x'),
      (error) => error instanceof AuditError && error.code === 'audit_unreadable',
      text,
    );
  }
});

test('a checkpoint of the log itself is an anchor, if it is signed by the right key', async () => {
  const key = generateKeyPairSync('ed25519').privateKey;
  const sample = await openSample({ checkpoint: { key } });
  const { log, files, folder } = sample;
  for (let n = 0; n < 10; n += 1) await log.append(call(n));
  await log.close();
  const checkpointKeys = [verifierKey(log.id, key)];
  const path = join(folder, segmentName(1));
  const lines = files.get(path).toString().split('\n');
  assert.equal((await verify(files, { id: log.id, key: KEY }, { checkpointKeys })).anchors, 1);
  files.put(path, Buffer.from(`${lines.slice(0, 5).join('\n')}\n`));
  const cut = await verify(files, { id: log.id, key: KEY }, { checkpointKeys });
  assert.deepEqual([cut.first?.class, cut.first?.seq], ['truncated vs anchor', 6]);
  const unsigned = await verify(files, { id: log.id, key: KEY }, { checkpointKeys: [] });
  assert.equal(unsigned.status, 'ok');
  // Of the whole tree: another history is not taken for this one.
  const fork = await openSample({ files: files.copy() });
  for (let n = 0; n < 20; n += 1) await fork.log.append(call(n));
  await fork.log.close();
  assert.equal((await verify(fork.files, { id: log.id, key: KEY }, { checkpointKeys })).first?.class, 'rolled back');
});

test('from a record on: earlier segments need not be there, and are not looked at', async () => {
  const sample = await makeSample(3, 10);
  const [, second, third] = whole(sample);
  const anchors = [anchorOf(sample, 0), anchorOf(sample, -1)];
  const verdict = await verifySegments(sample, [Buffer.from('rubbish\n'), second, third], { from: 14, anchors });
  assert.deepEqual([verdict.status, verdict.records, verdict.segments, verdict.anchors], ['ok', 20, 2, 1]);
  assert.equal((await verifySegments(sample, [undefined, second, third], { from: 30 })).records, 10);
  const late = await verifySegments(sample, [undefined, second?.subarray(0, 3000), third], { from: 14 });
  assert.equal(late.status, 'tampered');
  await assert.rejects(verifySegments(sample, [undefined, second, third], { from: 3 }), { code: 'audit_unreadable' });
});

test('a key that is missing is said, with the records it concerns; what hangs together is no tampering', async () => {
  const files = new MemoryFiles();
  const first = await openSample({ files });
  for (let n = 0; n < 5; n += 1) await first.log.append(call(n));
  await first.log.close();
  const second = await openSample({ files, key: OTHER_KEY, oldKeys: [KEY] });
  for (let n = 0; n < 5; n += 1) await second.log.append(call(n));
  await second.log.close();
  const { id } = second.log;
  const both = new KeyRing([KEY, OTHER_KEY]);
  assert.equal((await verify(files, { id, key: KEY }, { ring: both })).status, 'ok');
  const onlyOld = await verify(files, { id, key: KEY });
  assert.deepEqual([onlyOld.status, onlyOld.unverifiable?.seq], ['unverifiable', 12]);
  const onlyNew = await verify(files, { id, key: OTHER_KEY });
  assert.deepEqual([onlyNew.status, onlyNew.unverifiable?.seq, onlyNew.unverifiable?.count], ['unverifiable', 1, 11]);
  const neither = await verify(files, { id, key: Buffer.alloc(32) });
  assert.equal(neither.unverifiable?.count, neither.records);
});

test('a rotation whose commitment is not of the new key is found', async () => {
  const files = new MemoryFiles();
  await (await openSample({ files })).log.close();
  const { log, folder } = await openSample({ files, key: OTHER_KEY, oldKeys: [KEY] });
  await log.close();
  const ring = new KeyRing([KEY, OTHER_KEY]);
  // Whoever has the old key alone can name any id as the next, but not commit to a key that others hold.
  const { rewrite } = await import('./rewrite.ts');
  const path = join(folder, segmentName(2));
  files.put(
    path,
    rewrite(files.get(path), KEY, (text) => text.replace(/"commit":"[0-9a-f]{64}"/, `"commit":"${'0'.repeat(64)}"`)),
  );
  assert.equal((await verify(files, { id: log.id, key: KEY }, { ring })).first?.class, 'wrong key');
});

test('what a key holder wrote by hand about the tree is found', async () => {
  const { rewrite } = await import('./rewrite.ts');
  const sample = await makeSample(2, 6);
  const [first, second] = whole(sample);
  assert.ok(first && second);
  const seal = rewrite(first, sample.key, (text) => text.replace(/"root":"[0-9a-f]{8}/, '"root":"00000000'));
  assert.equal((await verifySegments(sample, [seal, second])).first?.class, 'modified');
  const open = rewrite(second, sample.key, (text) => text.replace(/"root":"[0-9a-f]{8}/, '"root":"00000000'));
  assert.equal((await verifySegments(sample, [first, open])).first?.class, 'modified');
});

test('a record under a key that was never announced is found', async () => {
  const { resign } = await import('./rewrite.ts');
  const sample = await makeSample(1, 8);
  const lines = [...(sample.segments[0] ?? [])];
  lines.splice(4, 4, resign(lines[4] as Buffer, OTHER_KEY));
  const ring = new KeyRing([sample.key, OTHER_KEY]);
  const { first } = await verifySegments(sample, [Buffer.concat(lines)], { ring });
  assert.deepEqual([first?.class, first?.seq], ['wrong key', 5]);
});

test('a log that is being written is whole, what is written is not torn', async () => {
  await using sample = await openSample();
  const { log, files, folder } = sample;
  await log.append(call(1));
  const path = join(folder, segmentName(1));
  files.put(path, Buffer.concat([files.get(path), Buffer.from('{"v":1,"lo')]));
  const verdict = await verify(files, { id: log.id, key: KEY });
  assert.deepEqual([verdict.status, verdict.live, verdict.torn?.bytes], ['ok', true, 10]);
});

test('a segment that begins while the log is read is read too', async () => {
  const sample = await makeSample(3, 10);
  const files = new MemoryFiles();
  const folder = join(BASE, sample.id);
  await files.makeFolder(folder);
  const [one, two, three] = whole(sample);
  assert.ok(one && two && three);
  files.put(join(folder, segmentName(1)), one.subarray(0, 2000));
  let reads = 0;
  files.options = {
    fail: (operation, path) => {
      if (operation !== 'read' || !path.endsWith('.jsonl')) return undefined;
      reads += 1;
      if (reads === 1) files.put(join(folder, segmentName(1)), one);
      return undefined;
    },
  };
  assert.equal((await verify(files, sample)).segments, 1);
  files.put(join(folder, segmentName(2)), two);
  files.put(join(folder, segmentName(3)), three);
  assert.equal((await verify(files, sample)).records, 30);
});

test('audit_unreadable: no log, or one that cannot be read', async () => {
  const sample = await makeSample(1, 5);
  await assert.rejects(verifySegments(sample, []), { code: 'audit_unreadable' });
  const files = new MemoryFiles({ fail: (operation) => (operation === 'read' ? 'EIO' : undefined) });
  const folder = join(BASE, sample.id);
  await files.makeFolder(folder);
  files.put(join(folder, segmentName(1)), Buffer.from('x'));
  await assert.rejects(verify(files, sample), { code: 'audit_unreadable', message: /EIO/ });
});

test('there are ten names for what can be found', () => {
  assert.equal(new Set(FINDINGS).size, 10);
});
