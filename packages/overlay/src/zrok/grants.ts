// Which accounts a persistent share was granted to by us. The controller adds a row for each grant, twice too, and lists none;
// so what was granted is kept, and a restart grants only what is new.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StateFolder } from '../home.ts';
import { digest } from '../ziti/host-lock.ts';
import type { ZrokApi, ZrokShare } from './api.ts';

export interface GrantsOptions {
  readonly api: ZrokApi;
  readonly folder: StateFolder;
}

/** Rejects `grant_unknown`. */
export async function grant(
  share: ZrokShare,
  emails: readonly string[],
  { api, folder }: GrantsOptions,
): Promise<void> {
  const path = pathOf(share, api, folder);
  const known = await readKnown(path, share);
  const wanted = [...new Set(emails)].filter((email) => !known.includes(email));
  if (wanted.length === 0) return;
  await api.addGrants(share.token, wanted);
  const text = JSON.stringify({ createdAt: share.createdAt, emails: [...known, ...wanted] });
  await writeFile(path, `${text}\n`, { mode: 0o600 });
}

export async function forgetGrants(share: ZrokShare, { api, folder }: GrantsOptions): Promise<void> {
  await rm(pathOf(share, api, folder), { force: true });
}

/** A share that was made anew under its name has none. */
async function readKnown(path: string, share: ZrokShare): Promise<string[]> {
  try {
    const { createdAt, emails } = JSON.parse(await readFile(path, 'utf8')) as { createdAt?: unknown; emails?: unknown };
    if (createdAt !== share.createdAt.toISOString() || !Array.isArray(emails)) return [];
    return emails.map(String);
  } catch {
    return [];
  }
}

function pathOf({ token, envZId }: ZrokShare, { apiEndpoint }: ZrokApi, { records }: StateFolder): string {
  return join(records, `granted-${digest(['zrok', apiEndpoint, envZId])}-${token}.json`);
}
