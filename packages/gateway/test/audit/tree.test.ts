// The tree, its proofs, and signed notes.

import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuditError } from '../../src/audit/errors.ts';
import { bitsSet, nodeHash, Tree } from '../../src/audit/merkle.ts';
import { checkpointKey, isSignedBy, parseCheckpoint, signCheckpoint, verifierKey } from '../../src/audit/note.ts';
import { segmentName } from '../../src/audit/record.ts';
import { checkProof, prove } from '../../src/audit/verify/proof.ts';
import { MemoryFiles } from '../../src/testing/memory-files.ts';
import { BASE, makeSample, type Sample } from './sample.ts';

const LOG = '0123456789abcdef0123456789abcdef';
const key = generateKeyPairSync('ed25519').privateKey;
const leafOf = (bytes: Buffer): Buffer => createHash('sha256').update(Buffer.of(0)).update(bytes).digest();

/** MTH of RFC 6962 2.1, as it stands there. */
function rootOf(leaves: readonly Buffer[]): Buffer {
  const [first] = leaves;
  if (first === undefined) return createHash('sha256').digest();
  if (leaves.length === 1) return leafOf(first);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(rootOf(leaves.slice(0, split)), rootOf(leaves.slice(split)));
}

test('the roots are those of RFC 6962, also for the vectors of certificate-transparency', () => {
  // google/certificate-transparency: merkletree tests; eight leaves.
  const vectors = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  const tree = new Tree();
  for (const vector of vectors) tree.add(leafOf(Buffer.from(vector, 'hex')));
  assert.equal(tree.root().toString('hex'), '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  const leaves: Buffer[] = [];
  const grown = new Tree();
  for (let size = 0; size < 70; size += 1) {
    assert.deepEqual(grown.root(), rootOf(leaves), `${size}`);
    assert.equal(grown.peaks.length, bitsSet(size));
    assert.deepEqual(new Tree(grown.size, grown.peaks).root(), grown.root());
    leaves.push(Buffer.from(`${size}`));
    grown.add(leafOf(Buffer.from(`${size}`)));
  }
});

test('a checkpoint is a signed note that only its key verifies', () => {
  const root = createHash('sha256').update('x').digest();
  const note = signCheckpoint({ log: LOG, size: 42, root }, key);
  assert.match(
    note,
    /^mcp-audit\/[0-9a-f]{32}\n42\n[A-Za-z0-9+/]{43}=\n\n— mcp-audit\/[0-9a-f]{32} [A-Za-z0-9+/]{91}=\n$/,
  );
  assert.deepEqual(parseCheckpoint(note), { log: LOG, size: 42, root });
  const mine = verifierKey(LOG, key);
  const other = verifierKey(LOG, generateKeyPairSync('ed25519').privateKey);
  assert.equal(isSignedBy(note, [other, mine]), true);
  assert.equal(isSignedBy(note, [other]), false);
  assert.equal(isSignedBy(note, []), false);
  assert.equal(isSignedBy(note, ['nonsense', 'a+00000000+AQ==', mine.replace(/\+[0-9a-f]{8}\+/, '+00000000+')]), false);
  assert.equal(isSignedBy(note.replace('\n42\n', '\n43\n'), [mine]), false);
  assert.equal(isSignedBy(note.replace(/— \S+/, '— somebody'), [mine]), false);
  assert.equal(isSignedBy('no note', [mine]), false);
  assert.equal(parseCheckpoint('no note'), undefined);
});

test('only an Ed25519 key in PEM signs checkpoints', () => {
  const pem = key.export({ type: 'pkcs8', format: 'pem' });
  assert.equal(checkpointKey(Buffer.from(pem)).asymmetricKeyType, 'ed25519');
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  for (const wrong of ['', 'hello', ec]) {
    assert.throws(
      () => checkpointKey(Buffer.from(wrong)),
      (error) => error instanceof AuditError && error.code === 'audit_key_invalid',
    );
  }
});

async function onDisk({ id, segments }: Sample): Promise<{ files: MemoryFiles; folder: string; log: string }> {
  const files = new MemoryFiles();
  const folder = join(BASE, id);
  await files.makeFolder(folder);
  for (const [at, lines] of segments.entries()) files.put(join(folder, segmentName(at + 1)), Buffer.concat(lines));
  return { files, folder, log: id };
}

function noteOf({ id, segments }: Sample, size: number): string {
  const lines = segments
    .flat()
    .slice(0, size)
    .map((line) => line.subarray(0, -1));
  return signCheckpoint({ log: id, size, root: rootOf(lines) }, key);
}

test('every record of every size of log is proven to whoever has the public key, and no other record', async () => {
  const sample = await makeSample(2, 9);
  const place = await onDisk(sample);
  const vkey = verifierKey(sample.id, key);
  const lines = sample.segments.flat().map((line) => line.toString().trimEnd());
  for (let size = 1; size <= lines.length; size += 1) {
    const note = noteOf(sample, size);
    for (let seq = 1; seq <= size; seq += 1) {
      const proof = await prove(place, seq, note);
      assert.deepEqual(
        checkProof(proof, [vkey]),
        { ok: true, log: sample.id, seq, record: lines[seq - 1] },
        `${seq} of ${size}`,
      );
    }
  }
});

test('a proof that was changed proves nothing, and says why', async () => {
  const sample = await makeSample(1, 9);
  const place = await onDisk(sample);
  const vkey = verifierKey(sample.id, key);
  const proof = await prove(place, 4, noteOf(sample, 9));
  const why = (text: string, keys = [vkey]): string => {
    const verdict = checkProof(text, keys);
    return verdict.ok ? 'proven' : verdict.why;
  };
  assert.equal(why(proof), 'proven');
  assert.equal(why('hello'), 'it is no proof');
  assert.equal(why(proof.replace(/\nmcp-audit.*/s, '\n')), 'there is no checkpoint in it');
  assert.equal(
    why(proof, [verifierKey(sample.id, generateKeyPairSync('ed25519').privateKey)]),
    'its checkpoint is not signed by this key',
  );
  assert.equal(why(proof.replace('\n9\n', '\n8\n')), 'its checkpoint is not signed by this key');
  assert.equal(why(proof.replace('index 3', 'index 4')), 'its record is not in the checkpoint');
  assert.equal(why(proof.replace('index 3', 'index 9')), 'its record is not in the checkpoint');
  assert.equal(why(proof.replace(/index 3\n.*\n/, 'index 3\n')), 'its record is not in the checkpoint');
  assert.equal(
    why(proof.replace(/extra .*/, `extra ${Buffer.from('{}').toString('base64')}`)),
    'its record is not in the checkpoint',
  );
  assert.equal(
    why(proof.replace(/extra .*/, `extra ${Buffer.alloc(20_000).toString('base64')}`)),
    'its record is longer than any',
  );
});

test('audit_unreadable: nothing is proven of a log that its checkpoint is not of', async () => {
  const sample = await makeSample(1, 9);
  const other = await makeSample(1, 9);
  const place = await onDisk(sample);
  const refused = (seq: number, note: string) =>
    assert.rejects(
      prove(place, seq, note),
      (error) => error instanceof AuditError && error.code === 'audit_unreadable',
    );
  await refused(3, '');
  await refused(3, noteOf(other, 9));
  await refused(0, noteOf(sample, 9));
  await refused(9, noteOf(sample, 8));
  await refused(3, signCheckpoint({ log: sample.id, size: 9, root: Buffer.alloc(32) }, key));
  place.files.put(join(place.folder, segmentName(1)), Buffer.from('short\n'));
  await refused(3, noteOf(sample, 9));
  place.files.put(join(place.folder, segmentName(1)), Buffer.alloc(40_000, 65));
  await refused(3, noteOf(sample, 9));
});
