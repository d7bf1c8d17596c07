// What happens once in the life of a log, or never: records behind a seal, a key that changes in the last segment, a number
// that no segment has, a leftover file, a lock that somebody takes meanwhile, lists too long to keep.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { chooseLog, newLog } from '../../src/audit/choose-log.ts';
import { keyOf } from '../../src/audit/configured.ts';
import type { AuditFiles } from '../../src/audit/files.ts';
import { Inspector } from '../../src/audit/inspect.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import { lockLog } from '../../src/audit/lock.ts';
import { PostingsBuilder, readPostings } from '../../src/audit/query/postings.ts';
import { segmentName } from '../../src/audit/record.ts';
import { MemoryFiles } from '../../src/testing/memory-files.ts';
import { BASE, call, KEY, makeSample, OTHER_KEY, openSample, splitLines, verify, verifySegments } from './sample.ts';

const code = (code: string): { code: string } => ({ code });

test('a record behind the seal: the writer does not go on, the verifier calls it put in', async () => {
  const files = new MemoryFiles();
  const { log, folder } = await openSample({ files, rotate: { bytes: 1 } });
  for (let n = 0; n < 3; n += 1) await log.append(call(n));
  await log.close();
  const names = files
    .paths()
    .filter((path) => path.endsWith('.jsonl'))
    .sort();
  const last = names.at(-1) as string;
  const sealed = names.at(-2) as string;
  const whole = files.get(sealed);
  const [line] = splitLines(whole);
  assert.ok(line && JSON.parse(splitLines(whole).at(-1)?.toString() ?? '').type === 'segment.seal');
  const put = files.copy();
  await put.unlink(last);
  put.put(sealed, Buffer.concat([whole, line]));
  await assert.rejects(openSample({ files: put }), code('audit_broken'));
  const words = files.copy();
  words.put(sealed, Buffer.concat([whole, Buffer.from('{"v":1}x\n')]));
  const { first } = await verify(words, { id: log.id, key: KEY });
  assert.equal(first?.class, 'inserted');
  assert.equal(join(folder, segmentName(1)), names[0]);
});

test('a key that changed in the last segment: it is gone on with from there', async () => {
  const files = new MemoryFiles();
  const first = await openSample({ files });
  await first.log.append(call(1));
  await first.log.close();
  const changed = await openSample({ files, key: OTHER_KEY, oldKeys: [KEY] });
  await changed.log.append(call(2));
  await changed.log.close();
  const again = await openSample({ files, key: OTHER_KEY, oldKeys: [KEY] });
  assert.equal(again.log.id, first.log.id);
  await again.log.close();
  const ring = new KeyRing([KEY, OTHER_KEY]);
  assert.equal((await verify(files, { id: first.log.id, key: KEY }, { ring })).status, 'ok');
});

test('a record that says it is of a later segment than there is was made by nobody', async () => {
  const sample = await makeSample(2, 10);
  const line = sample.segments[1]?.[0]?.subarray(0, -1) as Buffer;
  const inspector = new Inspector(new KeyRing([KEY]));
  assert.equal(inspector.inspect(line, 2).is, 'record');
  assert.equal(inspector.inspect(line, 1).is, 'forged');
  const [first = []] = sample.segments;
  const swapped = Buffer.concat([...first.slice(0, 5), Buffer.concat([line, Buffer.from('\n')]), ...first.slice(5)]);
  assert.equal((await verifySegments(sample, [swapped])).status, 'tampered');
});

test('of what is not glued nothing is said, however much it looks like ends of records', () => {
  const inspector = new Inspector(new KeyRing([KEY]));
  const end = `"mac":"${'0'.repeat(64)}"}`;
  assert.equal(inspector.isGlued(Buffer.from('words'), 1), false);
  assert.equal(inspector.isGlued(Buffer.from(`${end}x`), 1), false);
  assert.equal(inspector.isGlued(Buffer.from(end.repeat(200)), 1), false);
});

test('audit_in_use: somebody takes a log between its making and its lock; another fault of the lock stays what it is', async () => {
  const files = new MemoryFiles();
  const holder = await lockLog(await made(files, 'x'), files);
  await assert.rejects(lockLog(join(BASE, 'x'), files), code('audit_in_use'));
  await holder[Symbol.asyncDispose]();
  const quick: AuditFiles = Object.create(files, {
    lstat: { value: async (path: string) => (path.includes('x') ? files.lstat(path) : files.lstat(join(BASE, 'x'))) },
  });
  const taken = await lockLog(join(BASE, 'x'), files);
  await assert.rejects(newLog(BASE, quick), code('audit_in_use'));
  await taken[Symbol.asyncDispose]();
  const blind: AuditFiles = Object.create(files, {
    lstat: { value: () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' })) },
  });
  await assert.rejects(chooseLog(BASE, [KEY], blind));
});

test('audit_key_invalid: what names no key', async () => {
  await assert.rejects(keyOf('just words', {}), code('audit_key_invalid'));
});

test('a word that stands in most records is no help, and said to be none; long lists come back whole', () => {
  const builder = new PostingsBuilder();
  for (let at = 0; at < 3000; at += 1) {
    const some = at % 200 === 0 ? ['rare'] : [];
    builder.add(at * 100, at * 100 + 100, ['everywhere', `only ${at}`, ...some]);
  }
  const postings = readPostings(builder.bytes(), builder.count, builder.wordCount);
  assert.equal(postings.list('everywhere'), undefined);
  assert.deepEqual(postings.list('only 2999'), [2999]);
  assert.deepEqual(
    postings.list('rare'),
    Array.from({ length: 15 }, (_, at) => at * 200),
  );
  assert.deepEqual(postings.list('never'), []);
});

async function made(files: MemoryFiles, name: string): Promise<string> {
  await files.makeFolder(BASE);
  const folder = join(BASE, name);
  await files.makeFolder(folder);
  return folder;
}
