// The secret of a share's loopback door: made once, kept per share in a 0600 file, so that a pasted URL stays true.

import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { OverlayError, stateFolder } from '@mcp-overlay/overlay';

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
  try {
    await writeFile(draft, `${secret}\n`, { mode: 0o600, flag: 'wx' });
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {});
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OverlayError('state_folder_unsafe', `the secret of this door cannot be kept: ${why}`, {
      hint: 'its folder must have room and be writable; --no-auth does without a secret',
      cause,
    });
  }
  return secret;
}
