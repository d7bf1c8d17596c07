// A ledger that goes with its process, for a share nobody comes back to. What a process that was killed left is removed by
// the next one.

import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, thisWriter } from './writer.ts';

/** Begins as no share's name does (encoded, it has no `+`), then says whose it is. */
const TEMPORARY = /^\+temporary-([0-9]+)-(\S+)-[0-9a-f]{12}$/;

export async function temporaryLedger(root: string): Promise<{ readonly folder: string; readonly temporary: true }> {
  await sweep(root);
  const { pid, start } = thisWriter();
  const name = `+temporary-${pid}-${start}-${randomBytes(6).toString('hex')}`;
  return { folder: join(root, name), temporary: true };
}

async function sweep(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const [, pid, start] = TEMPORARY.exec(name) ?? [];
    if (pid === undefined || start === undefined || isAlive({ pid: Number(pid), start })) continue;
    await rm(join(root, name), { recursive: true, force: true });
  }
}
