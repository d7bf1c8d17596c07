// The secret of a share's loopback door: made once, kept per share in a 0600 file, so that a pasted URL stays true.

import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { stateFolder } from '@mcp-overlay/overlay';

const SECRET = /^[A-Za-z0-9_-]{32,64}$/;

export async function doorSecret(token: string, renew: boolean, env: NodeJS.ProcessEnv): Promise<string> {
  const folder = await stateFolder(env);
  const path = `${folder.secrets}/http-${token}`;
  if (!renew) {
    const kept = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    if (SECRET.test(kept.trim())) return kept.trim();
  }
  const secret = randomBytes(24).toString('base64url');
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  await rename(draft, path);
  return secret;
}
