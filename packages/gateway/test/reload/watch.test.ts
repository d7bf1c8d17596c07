// A file that may be another one: whoever watches is told once things are quiet, however it was replaced.

import assert from 'node:assert/strict';
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { watchFile } from '../../src/reload/watch.ts';

async function watched(link?: (folder: string) => Promise<void>, lookMs?: number) {
  const folder = await mkdtemp(join(tmpdir(), 'watch-'));
  const file = join(folder, 'g.yml');
  if (link) await link(folder);
  else await writeFile(file, 'one');
  let told = 0;
  let wake: () => void = () => {};
  const watch = watchFile(
    file,
    () => {
      told += 1;
      wake();
    },
    lookMs === undefined ? {} : { lookMs },
  );
  // What was done before is told too, where the system is late.
  const alive = setInterval(() => {}, 1000);
  const until = async (count: number): Promise<void> => {
    while (told < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    folder,
    file,
    told: () => told,
    next: async (change: () => Promise<unknown>): Promise<void> => {
      const before = told;
      await change();
      await until(before + 1);
    },
    close: () => watch.close(),
    [Symbol.asyncDispose]: async () => {
      watch.close();
      clearInterval(alive);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

test('a file that is written, replaced, removed and there again is told, each once it is quiet', async () => {
  await using at = await watched();
  await at.next(() => writeFile(at.file, 'two'));
  await at.next(async () => {
    await writeFile(join(at.folder, 'new'), 'three');
    await rename(join(at.folder, 'new'), at.file);
  });
  await at.next(() => rm(at.file));
  await at.next(() => writeFile(at.file, 'four'));
  const before = at.told();
  // A writer that takes several steps is one change.
  await at.next(async () => {
    for (let part = 0; part < 20; part += 1) await appendFile(at.file, 'x'.repeat(1000));
  });
  assert.equal(at.told(), before + 1);
});

test('a link that is turned round, as orchestrators do it, and a file that a link leads to', async () => {
  await using at = await watched(async (folder) => {
    for (const name of ['v1', 'v2']) {
      await mkdir(join(folder, 'data', name), { recursive: true });
      await writeFile(join(folder, 'data', name, 'g.yml'), name);
    }
    await symlink('v1', join(folder, 'data', 'now'));
    await symlink(join('data', 'now', 'g.yml'), join(folder, 'g.yml'));
  }, 100);
  await at.next(async () => {
    await symlink('v2', join(at.folder, 'data', 'next'));
    await rename(join(at.folder, 'data', 'next'), join(at.folder, 'data', 'now'));
  });
  await at.next(() => writeFile(join(at.folder, 'data', 'v2', 'g.yml'), 'edited where it is'));
});

test('a folder that is moved away and comes back is found again', async () => {
  await using at = await watched(async (folder) => {
    await mkdir(join(folder, 'inner'));
    await writeFile(join(folder, 'inner', 'g.yml'), 'one');
    await symlink(join('inner', 'g.yml'), join(folder, 'g.yml'));
  }, 100);
  await at.next(() => rename(join(at.folder, 'inner'), join(at.folder, 'outer')));
  await at.next(() => rename(join(at.folder, 'outer'), join(at.folder, 'inner')));
  await at.next(() => writeFile(join(at.folder, 'inner', 'g.yml'), 'two'));
});

test('a folder that is removed and made again is watched as before, without waiting for a look', async () => {
  await using at = await watched(async (folder) => {
    await mkdir(join(folder, 'inner'));
    await writeFile(join(folder, 'inner', 'g.yml'), 'one');
    await symlink(join('inner', 'g.yml'), join(folder, 'g.yml'));
  }, 3_600_000);
  await at.next(async () => {
    await rm(join(at.folder, 'inner'), { recursive: true });
    await mkdir(join(at.folder, 'inner'));
    await writeFile(join(at.folder, 'inner', 'g.yml'), 'two');
  });
  // Watched anew right after it was told.
  await new Promise((resolve) => setTimeout(resolve, 50));
  await at.next(() => writeFile(join(at.folder, 'inner', 'g.yml'), 'three'));
});

test('a folder in which something always changes is looked at all the same', async () => {
  await using at = await watched();
  const busy = setInterval(() => void appendFile(join(at.folder, 'log'), 'x'), 50);
  try {
    await at.next(() => writeFile(at.file, 'two'));
    await at.next(async () => {});
  } finally {
    clearInterval(busy);
  }
});

test('closed it tells nothing any more', async () => {
  await using at = await watched();
  await at.next(() => writeFile(at.file, 'two'));
  const before = at.told();
  await writeFile(at.file, 'three');
  at.close();
  await new Promise((resolve) => setTimeout(resolve, 400));
  assert.equal(at.told(), before);
});
