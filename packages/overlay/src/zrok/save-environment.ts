// Writes and removes a zrok environment. metadata.json comes first, or the zrok programs see nothing; environment.json last,
// so that an enabled environment has its identity. Folders 0700, files 0600, each put in place whole.

import { randomBytes } from 'node:crypto';
import { lstat, mkdir, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { OverlayError } from '../errors.ts';
import { LAYOUT_VERSION, type ZrokRoot } from './environment.ts';

export interface NewEnvironment {
  readonly accountToken: string;
  readonly envZId: string;
  /** The identity file, as the controller made it: written byte for byte. */
  readonly identity: string;
}

export async function saveEnvironment(root: ZrokRoot, made: NewEnvironment): Promise<void> {
  const { path, files, apiEndpoint } = root;
  await mended(path, async () => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await mkdir(files.identities, { recursive: true, mode: 0o700 });
    const known = await lstat(files.metadata).catch(() => undefined);
    if (known === undefined) await put(files.metadata, JSON.stringify({ v: LAYOUT_VERSION }));
    await put(files.identity, made.identity);
    await put(
      files.environment,
      JSON.stringify(
        { zrok_token: made.accountToken, ziti_identity: made.envZId, api_endpoint: apiEndpoint },
        undefined,
        2,
      ),
    );
  });
}

/** What the zrok programs remove too: metadata and configuration stay. */
export async function removeEnvironment({ path, files }: ZrokRoot): Promise<void> {
  await mended(path, async () => {
    await rm(files.environment, { force: true });
    await rm(files.identity, { force: true });
  });
}

/** Whether an environment could be written here; asked before one is made that could not be kept. */
export async function checkWritable({ path }: ZrokRoot): Promise<void> {
  await mended(path, async () => {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const probe = `${path}/.probe-${randomBytes(5).toString('hex')}`;
    await writeFile(probe, '', { mode: 0o600, flag: 'wx' });
    await unlink(probe);
  });
}

async function put(path: string, text: string): Promise<void> {
  const draft = `${path}.draft-${randomBytes(5).toString('hex')}`;
  try {
    await writeFile(draft, text, { mode: 0o600, flag: 'wx', flush: true });
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => {});
    throw error;
  }
}

async function mended(path: string, work: () => Promise<void>): Promise<void> {
  await work().catch((cause: Error) => {
    throw new OverlayError(
      'zrok_files_invalid',
      `the zrok environment in ${path} cannot be written: ${cause.message}`,
      {
        hint: 'this user must own that folder and be able to write there',
        cause,
      },
    );
  });
}
