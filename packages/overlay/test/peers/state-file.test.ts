import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { locked, readStateFile, writeStateFile } from '../../src/peers/state-file.ts';

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'state-file-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const asNumber = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

test('written for its owner alone, whole, and nothing left beside it', async () => {
  await using temp = await folder();
  const path = join(temp.path, 'file');
  assert.equal(await readStateFile(path, asNumber), undefined);
  await writeStateFile(path, 1);
  await writeStateFile(path, 2);
  assert.equal(await readStateFile(path, asNumber), 2);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(temp.path), ['file']);
});

test('a file that is broken, or no file, is an error that names it: nothing is assumed in its place', async () => {
  await using temp = await folder();
  const path = join(temp.path, 'file');
  for (const text of ['', '{', '"text"', 'null']) {
    await writeFile(path, text);
    await assert.rejects(readStateFile(path, asNumber), { code: 'state_file_invalid', message: `${path} is broken` });
  }
  const asFolder = join(temp.path, 'folder');
  await mkdir(asFolder);
  await assert.rejects(readStateFile(asFolder, asNumber), { code: 'state_file_invalid', message: /EISDIR/ });
  await assert.rejects(writeStateFile(asFolder, 1), { code: 'state_file_invalid', message: /cannot be written/ });
  assert.deepEqual((await readdir(temp.path)).sort(), ['file', 'folder'], 'no draft is left');
});

test('one at a time: nothing that many add at once is lost', { timeout: 60_000 }, async () => {
  await using temp = await folder();
  const path = join(temp.path, 'count');
  const lock = join(temp.path, 'count.lock');
  let inside = 0;
  await Promise.all(
    Array.from({ length: 20 }, () =>
      locked(lock, async () => {
        inside += 1;
        assert.equal(inside, 1);
        await writeStateFile(path, ((await readStateFile(path, asNumber)) ?? 0) + 1);
        inside -= 1;
      }),
    ),
  );
  assert.equal(await readFile(path, 'utf8'), '20\n');
});

test('a lock goes with its holder, also one that fails', async () => {
  await using temp = await folder();
  const lock = join(temp.path, 'lock');
  await assert.rejects(
    locked(lock, async () => {
      throw new Error('it failed');
    }),
    /it failed/,
  );
  assert.equal(await locked(lock, async () => 'free'), 'free');
});
