// Where the ledger of a share is: a folder of its own by its name, where the next process finds it; or one that goes with
// this process, where nobody comes back to the share.

import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive, thisWriter } from './writer.ts';

export interface LedgerPlace {
  readonly folder: string;
  readonly temporary: boolean;
}

/** Begins with whose it is: a process that was killed leaves its own. */
const TEMPORARY = /^temporary-([0-9]+)-(\S+)-[0-9a-f]{12}$/;

/** `share`: network and token; undefined: a share that ends with this process. */
export async function ledgerPlace(root: string, share: readonly [string, string] | undefined): Promise<LedgerPlace> {
  if (share !== undefined) return { folder: join(root, encodeURIComponent(share.join('-'))), temporary: false };
  await sweep(root);
  const { pid, start } = thisWriter();
  return { folder: join(root, `temporary-${pid}-${start}-${randomBytes(6).toString('hex')}`), temporary: true };
}

async function sweep(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    const [, pid, start] = TEMPORARY.exec(name) ?? [];
    if (pid === undefined || start === undefined || isAlive({ pid: Number(pid), start })) continue;
    await rm(join(root, name), { recursive: true, force: true });
  }
}
