// Records read one after the other: only what follows what was before, also of a log that is being written.

import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskFiles } from '../../src/audit/files.ts';
import { segmentsIn } from '../../src/audit/folder.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import { openAuditLog } from '../../src/audit/open-audit-log.ts';
import { type ReadRecord, readOn, records } from '../../src/audit/query/records.ts';

const KEY = Buffer.alloc(32, 9);

async function openLog() {
  const base = await mkdtemp(join(tmpdir(), 'audit-records-'));
  const log = await openAuditLog({ base, key: KEY, rotate: { bytes: 4000 } });
  const path = join(base, log.id);
  const ring = new KeyRing([KEY]);
  return {
    log,
    path,
    ring,
    write: async (count: number) => {
      for (let at = 0; at < count; at += 1)
        await log.append({ type: 'auth.deny', code: 'peer_refused', ident: `x${at}` });
    },
    all: async (range: { sinceMs?: number; untilMs?: number } = {}) => collect(records({ path, ring, ...range })),
    [Symbol.asyncDispose]: async () => {
      await log.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

async function collect(source: AsyncIterable<ReadRecord>): Promise<ReadRecord[]> {
  const found: ReadRecord[] = [];
  for await (const one of source) found.push(one);
  return found;
}

test('every record in order, over all segments, with the hash that receipts have', async () => {
  await using house = await openLog();
  await house.write(30);
  const receipt = await house.log.append({ type: 'admin', what: 'a', target: 'b', by: 'owner' });
  const all = await house.all();
  assert.deepEqual(
    all.map(({ record }) => record.seq),
    all.map((_, at) => at + 1),
  );
  assert.ok(new Set(all.map(({ record }) => record.seg)).size > 2);
  assert.equal(`sha256:${all.at(-1)?.hash}`, receipt?.hash);
  assert.deepEqual(await house.all({ untilMs: 0 }), []);
  assert.deepEqual(await house.all({ sinceMs: Date.now() + 60_000 }), []);
});

test('what is added is read on from the place that was reached; a half record waits', async () => {
  await using house = await openLog();
  await house.write(12);
  const place = { seg: 0, offset: 0, seq: 0, hash: '' };
  const on = async () => collect(readOn(house, place, await segmentsIn(house.path, diskFiles)));
  const before = await on();
  assert.deepEqual(await on(), []);
  await house.write(9);
  const after = await on();
  assert.equal(Number(after[0]?.record.seq), Number(before.at(-1)?.record.seq) + 1);
  await appendFile(join(house.path, `${String(place.seg).padStart(10, '0')}.jsonl`), '{"v":1,"log":"');
  assert.deepEqual(await on(), []);
});

test('a log with a line changed, taken out or put in twice is not read past it', async () => {
  await using house = await openLog();
  await house.write(8);
  const file = join(house.path, '0000000001.jsonl');
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const variants = [
    lines.map((line, at) => (at === 2 ? line.replace('x', 'y') : line)),
    lines.filter((_, at) => at !== 2),
    lines.flatMap((line, at) => (at === 2 ? [line, line] : [line])),
  ];
  for (const changed of variants) {
    await writeFile(file, `${changed.join('\n')}\n`);
    await assert.rejects(house.all(), { code: 'audit_broken' });
  }
  await writeFile(file, `${lines.join('\n')}\n`);
  assert.ok((await house.all()).length >= 9);
});

test('a key that was not given is said', async () => {
  await using house = await openLog();
  const other = collect(records({ path: house.path, ring: new KeyRing([Buffer.alloc(32, 1)]) }));
  await assert.rejects(other, { code: 'audit_key_unknown' });
});
