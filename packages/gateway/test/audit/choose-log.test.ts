import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chooseLog } from '../../src/audit/choose-log.ts';
import { type AuditFiles, diskFiles } from '../../src/audit/files.ts';

test('gateways that start side by side have a log each, also when one takes the folder that another has just made', async () => {
  const home = await mkdtemp(join(tmpdir(), 'choose-log-'));
  const base = join(home, 'audit');
  try {
    const other: Awaited<ReturnType<typeof chooseLog>>[] = [];
    let taken = 0;
    // Its folder is on the disk, and it has not locked it: now the other one looks.
    const files: AuditFiles = {
      ...diskFiles,
      syncFolder: async (path) => {
        await diskFiles.syncFolder(path);
        if (path !== base || taken === 2) return;
        taken += 1;
        other.push(await chooseLog(base, [], diskFiles));
      },
    };
    const chosen = await chooseLog(base, [], files);
    const all = [chosen, ...other];
    assert.equal(new Set(all.map(({ id }) => id)).size, 3);
    for (const { lock } of all) await lock[Symbol.asyncDispose]();
  } finally {
    await rm(home, { recursive: true });
  }
});
