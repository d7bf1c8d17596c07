import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FILE_LIMITS } from '../../src/limits.ts';
import { type KnownShare, knownShares } from '../../src/peers/known-shares.ts';
import { importOptions } from '../../src/testing/node-options.ts';
import { tempOverlay } from '../../src/testing/temp-overlay.ts';

const key = { network: 'ziti', realm: '', share: 'box' };
const known: KnownShare = { ...key, id: 'ziti:a', name: 'a', hosts: [], since: '2026-01-01', used: '2026-01-01' };

test('a share is known by its network, its realm and its name', async () => {
  await using temp = await tempOverlay();
  const shares = knownShares(temp.env);
  assert.equal(await shares.find(key), undefined);
  await shares.update(key, () => known);
  assert.deepEqual(await shares.find(key), known);
  for (const other of [{ network: 'local' }, { realm: 'x' }, { share: 'other' }]) {
    assert.equal(await shares.find({ ...key, ...other }), undefined);
  }
  await shares.update(key, (before) => (before ? { ...before, hosts: ['ziti:b'] } : undefined));
  assert.deepEqual((await shares.find(key))?.hosts, ['ziti:b']);
  await shares.update(key, () => undefined);
  assert.deepEqual(await shares.list(), []);
});

test('what does not change is not written', async () => {
  await using temp = await tempOverlay();
  const shares = knownShares(temp.env);
  await shares.update(key, () => undefined);
  assert.equal((await readdir(temp.home)).includes('known-shares'), false);
});

test('a file that cannot be read keeps everybody out, and says which', async () => {
  await using temp = await tempOverlay();
  const shares = knownShares(temp.env);
  await shares.update(key, () => known);
  const broken = [
    '{}',
    '{"version":2,"shares":[]}',
    '{"version":1,"shares":[{}]}',
    JSON.stringify({ version: 1, shares: [{ ...known, changed: { id: 7 } }] }),
    JSON.stringify({ version: 1, shares: [{ ...known, hosts: [7] }] }),
    JSON.stringify({ version: 1, shares: [null] }),
  ];
  for (const text of broken) {
    await writeFile(join(temp.home, 'known-shares'), text);
    await assert.rejects(shares.find(key), { code: 'state_file_invalid', message: /known-shares is broken/ });
  }
});

test('when it is full, the one that was not used for the longest time goes', async () => {
  await using temp = await tempOverlay();
  const shares = knownShares(temp.env);
  await shares.list();
  const full = Array.from({ length: FILE_LIMITS.knownShares }, (_, at) => {
    const used = new Date(Date.UTC(2026, 0, 2) + at * 1000).toISOString();
    return { ...known, share: `s${at}`, used };
  });
  await writeFile(join(temp.home, 'known-shares'), JSON.stringify({ version: 1, shares: full }));
  await shares.update(key, () => ({ ...known, used: '2027-01-01' }));
  const list = await shares.list();
  assert.equal(list.length, FILE_LIMITS.knownShares);
  assert.equal(
    list.some(({ share }) => share === 's0'),
    false,
  );
  assert.ok(await shares.find(key));
});

test('several processes that pin at once lose nothing', { timeout: 60_000 }, async () => {
  await using temp = await tempOverlay();
  const program = fileURLToPath(new URL('./fixtures/pinning.ts', import.meta.url));
  const ends = ['a', 'b', 'c'].map((name) =>
    once(spawn(process.execPath, [...importOptions(), program, name], { env: temp.env, stdio: 'inherit' }), 'exit'),
  );
  for (const end of await Promise.all(ends)) assert.deepEqual(end, [0, null]);
  const names = (await knownShares(temp.env).list()).map(({ share }) => share).sort();
  assert.deepEqual(
    names,
    ['a', 'b', 'c'].flatMap((name) => Array.from({ length: 10 }, (_, at) => `${name}${at}`)),
  );
});
