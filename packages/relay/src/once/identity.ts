// Which ledger this is, for dialers that might meet another one: a random name in its folder, made with it and gone with it.

import { randomBytes } from 'node:crypto';
import { link, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const NAME = /^[0-9a-f]{32}$/;

/** Of several processes that open it at once, all get the same. */
export async function ledgerIdentity(folder: string): Promise<string> {
  const path = join(folder, 'identity');
  const known = await nameIn(path);
  if (known !== undefined) return known;
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const name = randomBytes(16).toString('hex');
  await writeFile(draft, name, { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(draft, path);
    return name;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // One that cannot be read is none: dialers then meet another ledger with each start, and ask nothing again.
    return (await nameIn(path)) ?? name;
  } finally {
    await unlink(draft);
  }
}

async function nameIn(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'latin1').catch(() => '');
  return NAME.test(text) ? text : undefined;
}
