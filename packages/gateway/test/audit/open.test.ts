// How a log is taken, gone on with after whatever end it had, and refused.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditError } from '../../src/audit/errors.ts';
import { makeFirstKey } from '../../src/audit/evolving.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import { addPublicKeys, readPublicKeys } from '../../src/audit/public-keys.ts';
import { segmentName } from '../../src/audit/record.ts';
import { MemoryFiles } from '../../src/testing/memory-files.ts';
import { BASE, call, KEY, type OpenSample, OTHER_KEY, openSample, splitLines, verify } from './sample.ts';

const typesOf = (files: MemoryFiles, path: string): string[] =>
  splitLines(files.get(path)).map((line) => String((JSON.parse(line.toString()) as { type: string }).type));

const code = (wanted: string) => (error: AuditError) => error.code === wanted;

async function closedWith(records: number, options: Parameters<typeof openSample>[0] = {}): Promise<OpenSample> {
  const sample = await openSample(options);
  for (let n = 0; n < records; n += 1) await sample.log.append(call(n));
  await sample.log.close();
  return sample;
}

test('a log begins with its opening and goes on in the same file after a restart', async () => {
  const { files, folder, log } = await closedWith(1);
  const again = await closedWith(1, { files });
  assert.equal(again.folder, folder);
  const path = join(folder, segmentName(1));
  assert.deepEqual(typesOf(files, path), [
    'segment.open',
    'log.open',
    'call.intent',
    'log.close',
    'log.open',
    'call.intent',
    'log.close',
  ]);
  assert.equal((await verify(files, { id: log.id, key: KEY })).status, 'ok');
  assert.deepEqual(await readPublicKeys(folder, files), {
    log: log.id,
    keys: [new KeyRing([KEY]).kids()[0]],
    checkpoints: [],
  });
});

test('a receipt says where its record stands', async () => {
  await using sample = await openSample();
  const receipt = await sample.log.append(call(1));
  assert.equal(receipt?.log, sample.log.id);
  assert.equal(receipt?.seq, 3);
  assert.match(receipt?.hash ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.deepEqual(sample.log.state(), { head: receipt, path: sample.folder, durability: 'commit' });
});

test('two gateways on one folder have a log each, and each goes on with one of them', async () => {
  const files = new MemoryFiles();
  const first = await openSample({ files });
  const second = await openSample({ files });
  assert.notEqual(first.log.id, second.log.id);
  await first.log.close();
  const third = await openSample({ files });
  assert.equal(third.log.id, first.log.id);
  await Promise.all([second.log.close(), third.log.close()]);
});

test('T17: torn at every byte of the last record, it is cut off, kept aside and put on record', async () => {
  const { files, folder, log } = await closedWith(2);
  const path = join(folder, segmentName(1));
  const whole = files.get(path);
  const last = splitLines(whole).at(-1)?.length ?? 0;
  for (let bytes = 1; bytes < last; bytes += 1) {
    const torn = files.copy();
    torn.put(path, whole.subarray(0, whole.length - last + bytes));
    assert.equal((await verify(torn, { id: log.id, key: KEY })).status, 'torn');
    await (await openSample({ files: torn })).log.close();
    const kept = torn.paths().find((name) => name.includes('.torn-'));
    assert.ok(kept, `${bytes}`);
    assert.deepEqual(torn.get(kept), whole.subarray(whole.length - last, whole.length - last + bytes));
    const recovered = splitLines(torn.get(path))
      .map((line) => JSON.parse(line.toString()))
      .find(({ type }) => type === 'log.recovered');
    assert.equal(recovered.bytes, bytes);
    assert.equal(join(folder, recovered.kept), kept);
    assert.equal((await verify(torn, { id: log.id, key: KEY })).status, 'ok');
  }
});

test('T17: a segment that was begun and has no whole record is begun again', async () => {
  const { files, folder, log } = await closedWith(2, { rotate: { bytes: 1 } });
  const last = files
    .paths()
    .filter((path) => path.endsWith('.jsonl'))
    .sort()
    .at(-1) as string;
  for (const bytes of [0, 1, 100]) {
    const torn = files.copy();
    torn.put(last, files.get(last).subarray(0, bytes));
    await (await openSample({ files: torn })).log.close();
    assert.equal((await verify(torn, { id: log.id, key: KEY })).status, 'ok', `${bytes}`);
  }
  // No crash leaves two of them.
  const two = files.copy();
  for (const path of files
    .paths()
    .filter((one) => one.endsWith('.jsonl'))
    .sort()
    .slice(-2))
    two.put(path, Buffer.alloc(0));
  await assert.rejects(openSample({ files: two }), code('audit_broken'));
  const onlyOne = files.copy();
  for (const path of onlyOne.paths().filter((one) => one.endsWith('.jsonl'))) await onlyOne.unlink(path);
  onlyOne.put(join(folder, segmentName(1)), Buffer.alloc(0));
  const { log: anew } = await closedWith(1, { files: onlyOne });
  assert.equal((await verify(onlyOne, { id: anew.id, key: KEY })).head.seq, 4);
});

test('T17: what a lost page leaves behind the last whole record is torn; what takes the newline from a whole one is no crash', async () => {
  const { files, folder, log } = await closedWith(3);
  const path = join(folder, segmentName(1));
  const whole = files.get(path);
  const last = whole.length - (splitLines(whole).at(-1)?.length ?? 0);
  const lost = files.copy();
  lost.put(path, Buffer.concat([whole.subarray(0, last - 1), Buffer.alloc(1 + whole.length - last)]));
  assert.equal((await verify(lost, { id: log.id, key: KEY })).status, 'torn');
  await (await openSample({ files: lost })).log.close();
  assert.equal((await verify(lost, { id: log.id, key: KEY })).status, 'ok');
  const glued = files.copy();
  const bytes = Buffer.from(whole);
  bytes[last - 1] = 0x1a;
  glued.put(path, bytes);
  const { status, first } = await verify(glued, { id: log.id, key: KEY });
  assert.deepEqual([status, first?.class], ['tampered', 'modified']);
  await assert.rejects(openSample({ files: glued }), code('audit_broken'));
  // Of the very last byte nobody can say.
  const end = files.copy();
  end.put(path, Buffer.concat([whole.subarray(0, -1), Buffer.from('x')]));
  assert.equal((await verify(end, { id: log.id, key: KEY })).status, 'torn');
});

test('audit_broken: what no crash does to a log is not gone on with', async () => {
  const { files, folder } = await closedWith(3);
  const path = join(folder, segmentName(1));
  const lines = splitLines(files.get(path));
  const broken: Readonly<Record<string, readonly Buffer[]>> = {
    'a changed record': lines.map((line, at) => (at === 2 ? Buffer.from(line.toString().replace('fs', 'sf')) : line)),
    'a missing record': lines.toSpliced(2, 1),
    'no opening': lines.slice(1),
    'two torn lines': [...lines, Buffer.from('x\n'), Buffer.from('y')],
    'a record twice': [...lines.slice(0, 3), ...lines.slice(2)],
  };
  for (const [what, changed] of Object.entries(broken)) {
    const copy = files.copy();
    copy.put(path, Buffer.concat(changed));
    await assert.rejects(openSample({ files: copy }), code('audit_broken'), what);
    assert.deepEqual(copy.get(path), Buffer.concat(changed), 'it is left as it is');
  }
  const moved = files.copy();
  moved.put(join(folder, segmentName(2)), files.get(path));
  await assert.rejects(openSample({ files: moved }), code('audit_broken'));
});

test('after the operator accepts that a log is broken another begins, names it, and is gone on with from then on', async () => {
  const { files, folder, log } = await closedWith(3);
  const path = join(folder, segmentName(1));
  files.put(path, Buffer.concat(splitLines(files.get(path)).toSpliced(2, 1)));
  const before = files.copy();
  const other = await closedWith(1, { files, acceptBroken: true });
  assert.notEqual(other.log.id, log.id);
  const opened = JSON.parse(String(splitLines(other.files.get(join(other.folder, segmentName(1))))[1])) as Record<
    string,
    unknown
  >;
  assert.equal(opened.replaces, log.id);
  const next = await closedWith(1, { files });
  assert.equal(next.log.id, other.log.id);
  // Whoever has no key cannot say so, of another log neither.
  for (const mark of ['', `${other.log.id} ${'0'.repeat(64)}\n`, 'x']) {
    const forged = before.copy();
    forged.put(join(folder, 'replaced'), Buffer.from(mark));
    await assert.rejects(openSample({ files: forged }), code('audit_broken'), mark);
  }
});

test('a broken log whose keys evolve is left behind too', async () => {
  const files = new MemoryFiles();
  await files.makeFolder(BASE);
  await makeFirstKey(BASE, files);
  const { folder } = await closedWith(3, { files, forwardSecure: true });
  const path = join(folder, segmentName(1));
  files.put(path, Buffer.concat(splitLines(files.get(path)).toSpliced(2, 1)));
  await makeFirstKey(BASE, files);
  await assert.rejects(openSample({ files, forwardSecure: true }), code('audit_broken'));
  const other = await closedWith(1, { files, forwardSecure: true, acceptBroken: true });
  assert.notEqual(other.folder, folder);
  const next = await closedWith(1, { files, forwardSecure: true });
  assert.equal(next.folder, other.folder);
});

test('accepting a broken log does not help where another fault is in the way', async () => {
  const { files } = await closedWith(3);
  await assert.rejects(openSample({ files, key: OTHER_KEY, acceptBroken: true }), code('audit_key_unknown'));
  const broken = files.copy();
  const path = files.paths().find((one) => one.endsWith('.jsonl')) as string;
  broken.put(path, Buffer.concat(splitLines(files.get(path)).toSpliced(2, 1)));
  broken.options = { fail: (operation) => (operation === 'sync' ? 'EIO' : undefined) };
  await assert.rejects(
    openSample({ files: broken, acceptBroken: true }),
    (error: AuditError) => error.code !== 'audit_broken',
  );
});

test('audit_key_invalid: a key has 32 bytes or more', async () => {
  await assert.rejects(openSample({ key: Buffer.alloc(31) }), code('audit_key_invalid'));
  await assert.rejects(openSample({ oldKeys: [Buffer.alloc(1)] }), code('audit_key_invalid'));
});

test('a new key takes over on record, and with both the log verifies years later', async () => {
  const files = new MemoryFiles();
  const keys = [KEY, OTHER_KEY, Buffer.alloc(32, 3)];
  for (const [at, key] of keys.entries()) await closedWith(5, { files, key, oldKeys: keys.slice(0, at) });
  const { log } = await closedWith(5, { files, key: KEY, oldKeys: keys });
  const verdict = await verify(files, { id: log.id, key: KEY }, { ring: new KeyRing(keys) });
  assert.deepEqual([verdict.status, verdict.segments], ['ok', 7]);
  assert.equal((await readPublicKeys(join(BASE, log.id), files))?.keys.length, 3);
});

test('audit_key_unknown: a log under a key that is not given is not gone on with', async () => {
  const { files } = await closedWith(1);
  await assert.rejects(openSample({ files, key: OTHER_KEY }), (error: AuditError) => {
    return error.code === 'audit_key_unknown' && /audit\.keys/.test(error.hint ?? '');
  });
});

test('a key is changed also when the last segment is sealed', async () => {
  const { files, folder, log } = await closedWith(1, { rotate: { bytes: 1 } });
  const segments = files
    .paths()
    .filter((path) => path.endsWith('.jsonl'))
    .sort();
  await files.unlink(segments.at(-1) as string);
  assert.equal(typesOf(files, segments.at(-2) as string).at(-1), 'segment.seal');
  await closedWith(1, { files, key: OTHER_KEY, oldKeys: [KEY] });
  assert.equal((await verify(files, { id: log.id, key: KEY }, { ring: new KeyRing([KEY, OTHER_KEY]) })).status, 'ok');
  assert.ok(typesOf(files, join(folder, segmentName(segments.length))).includes('key.rotate'));
});

test('with keys that evolve, what is on the machine cannot make records of segments that are over', async () => {
  const files = new MemoryFiles();
  await files.makeFolder(BASE);
  const { key } = await makeFirstKey(BASE, files);
  const { log, folder } = await closedWith(5, { files, forwardSecure: true, rotate: { bytes: 1 } });
  const ring = new KeyRing([Buffer.from(key)]);
  assert.equal((await verify(files, { id: log.id, key: KEY }, { ring })).status, 'ok');
  // The first key is nowhere any more, nor are those of earlier segments.
  const everything = files
    .paths()
    .map((path) => files.get(path).toString('latin1'))
    .join('\n');
  assert.ok(!everything.includes(key));
  const stored = JSON.parse(
    files.get(files.paths().find((path) => path.includes('/evolving-')) as string).toString(),
  ) as {
    kid: string;
    seg: number;
    key: string;
  };
  const stolen = new KeyRing([]);
  stolen.hold({ kid: stored.kid, seg: stored.seg, secret: Buffer.from(stored.key, 'hex') });
  assert.equal(stolen.mac(stored.kid, stored.seg - 1), undefined);
  assert.ok(stolen.mac(stored.kid, stored.seg));
  // And it goes on after a restart, from the middle of a segment or from a sealed one.
  await closedWith(3, { files, forwardSecure: true });
  await closedWith(3, { files, forwardSecure: true, rotate: { bytes: 1 } });
  const segments = files
    .paths()
    .filter((path) => path.endsWith('.jsonl'))
    .sort();
  await files.unlink(segments.at(-1) as string);
  await closedWith(3, { files, forwardSecure: true, rotate: { bytes: 1 } });
  const verdict = await verify(files, { id: log.id, key: KEY }, { ring });
  assert.equal(verdict.status, 'ok');
  assert.ok(verdict.segments > 12, folder);
  assert.equal((await verify(files, { id: log.id, key: KEY }, { ring, from: verdict.head.seq - 1 })).status, 'ok');
});

test('with keys that evolve, a sealed segment that does not end as it did is not gone on from', async () => {
  const files = new MemoryFiles();
  await files.makeFolder(BASE);
  await makeFirstKey(BASE, files);
  await closedWith(2, { files, forwardSecure: true, rotate: { bytes: 1 } });
  const segments = files
    .paths()
    .filter((path) => path.endsWith('.jsonl'))
    .sort();
  await files.unlink(segments.at(-1) as string);
  const before = segments.at(-2) as string;
  for (const end of [files.get(before).length - 1, files.get(before).length - 200]) {
    const cut = files.copy();
    cut.put(before, files.get(before).subarray(0, end));
    await assert.rejects(openSample({ files: cut, forwardSecure: true }), code('audit_broken'));
  }
});

test('audit_key_invalid: keys that evolve need a first key, and a whole file of it', async () => {
  await assert.rejects(openSample({ forwardSecure: true }), code('audit_key_invalid'));
  const files = new MemoryFiles();
  await files.makeFolder(BASE);
  await makeFirstKey(BASE, files);
  const { folder } = await closedWith(1, { files, forwardSecure: true });
  const path = files.paths().find((one) => one.startsWith(join(folder, 'evolving-'))) as string;
  for (const text of ['', '{}', '{"kid":"e","seg":1,"key":"00"}']) {
    const broken = files.copy();
    broken.put(path, Buffer.from(text));
    await assert.rejects(openSample({ files: broken, forwardSecure: true }), code('audit_key_invalid'), text);
  }
});

test('a log changes from a key that stays to one that evolves, to the next one, and back', async () => {
  const files = new MemoryFiles();
  const { log } = await closedWith(3, { files });
  const first = await makeFirstKey(BASE, files);
  await closedWith(3, { files, forwardSecure: true });
  const second = await makeFirstKey(BASE, files);
  await closedWith(3, { files, forwardSecure: true, rotate: { bytes: 2000 } });
  await closedWith(3, { files });
  const ring = new KeyRing([KEY, Buffer.from(first.key), Buffer.from(second.key)]);
  const verdict = await verify(files, { id: log.id, key: KEY }, { ring });
  assert.deepEqual([verdict.status, verdict.first], ['ok', undefined]);
  assert.deepEqual(
    files.paths().filter((path) => path.includes('evolving-')),
    [],
    'nothing of them is left',
  );
});

test('killed while a first key is taken, it is taken at the next start', async () => {
  const files = new MemoryFiles();
  await files.makeFolder(BASE);
  const { key, kid } = await makeFirstKey(BASE, files);
  files.options = {
    fail: (operation, path) => (operation === 'unlink' && path.endsWith(`first-${kid}`) ? 'EIO' : undefined),
  };
  await assert.rejects(openSample({ files, forwardSecure: true }));
  files.options = {};
  const { log } = await closedWith(2, { files, forwardSecure: true });
  assert.equal((await verify(files, { id: log.id, key: KEY }, { ring: new KeyRing([Buffer.from(key)]) })).status, 'ok');
});

test('audit_broken: a log that is shorter than its own signed checkpoint is not gone on with', async () => {
  const key = generateKeyPairSync('ed25519').privateKey;
  const { files, folder } = await closedWith(5, { checkpoint: { key } });
  const path = join(folder, segmentName(1));
  files.put(path, Buffer.concat(splitLines(files.get(path)).slice(0, 4)));
  await assert.rejects(openSample({ files, checkpoint: { key } }), code('audit_broken'));
  // Signed by somebody else it says nothing.
  const other = generateKeyPairSync('ed25519').privateKey;
  await (await openSample({ files, checkpoint: { key: other } })).log.close();
});

test('what stands in keys.json is kept, and what is no JSON there is written anew', async () => {
  const files = new MemoryFiles();
  await files.makeFolder('/l');
  await addPublicKeys('/l', { log: 'x', keys: ['a'], checkpoints: ['v'] }, files);
  await addPublicKeys('/l', { log: 'x', keys: ['b', 'a'], checkpoints: [] }, files);
  assert.deepEqual(await readPublicKeys('/l', files), { log: 'x', keys: ['a', 'b'], checkpoints: ['v'] });
  files.put('/l/keys.json', Buffer.from('{"log":1,"keys":7,"checkpoints":[1,"v"]}'));
  assert.deepEqual(await readPublicKeys('/l', files), { log: '1', keys: [], checkpoints: ['v'] });
  files.put('/l/keys.json', Buffer.from('{'));
  assert.equal(await readPublicKeys('/l', files), undefined);
});

test('a log that cannot be locked for another reason than a writer is not passed over', async () => {
  const { files } = await closedWith(1);
  files.options = {
    fail: (operation, path) => (operation === 'create' && path.includes('/writer') ? 'EIO' : undefined),
  };
  await assert.rejects(openSample({ files }), { code: 'EIO' });
});

test('audit_folder_unsafe: the folder is ours alone', async () => {
  const files = new MemoryFiles();
  const lstat = files.lstat;
  const refused = async (stats: object): Promise<void> => {
    files.lstat = async (path) => ({ ...(await lstat(path)), ...stats }) as never;
    await assert.rejects(openSample({ files }), code('audit_folder_unsafe'));
  };
  await refused({ mode: 0o40750 });
  await refused({ uid: 12345 });
  await refused({ isDirectory: () => false });
  files.lstat = lstat;
  files.makeFolder = async () => {
    throw Object.assign(new Error('no'), { code: 'EACCES' });
  };
  await assert.rejects(openSample({ files }), code('audit_folder_unsafe'));
});
