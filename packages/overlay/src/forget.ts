// What a share leaves in the state folder: a share that is deleted leaves nobody let in, no token, nothing spent and no answers behind
// for one that is made later under its name.

import { rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { forgetTokens } from './access/token-book.ts';
import { stateFolder } from './home.ts';
import { forgetPeers } from './peers/peer-book.ts';

/** What was spent of the daily budgets of a share's callers. */
export async function budgetsPath(share: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { budgets } = await stateFolder(env);
  return join(budgets, `${encodeURIComponent(share)}.json`);
}

/** How calls with a key ended at whoever hosts a share. */
export async function ledgerPath(share: string, env: NodeJS.ProcessEnv): Promise<string> {
  const { ledgers } = await stateFolder(env);
  return join(ledgers, encodeURIComponent(share));
}

export async function forgetShare(share: string, env: NodeJS.ProcessEnv): Promise<void> {
  await forgetPeers(share, env);
  await forgetTokens(share, env);
  await rm(await ledgerPath(share, env), { recursive: true, force: true });
  await unlink(await budgetsPath(share, env)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}
