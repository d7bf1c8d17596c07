// Which shares exist: one entry file for each in `shares/`, 0600, made whole or not at all. Persistent ones are made by
// `createShare` and stay; ephemeral ones belong to a running host and are swept once nobody listens on their socket.

import { randomBytes } from 'node:crypto';
import { link, lstat, readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StateFolder } from '../home.ts';
import { isShareToken } from '../share-token.ts';
import { sweepSocket } from './bind-socket.ts';
import { isAlive } from './connect-socket.ts';

export interface ShareEntry {
  readonly token: string;
  readonly persistent: boolean;
  readonly createdAt: Date;
}

const SUFFIX = '.json';
const DRAFT = /^[a-z0-9-]+\.draft-[0-9a-f]+$/;
const SOCKET = /^([a-z0-9-]+)\.sock(~|$)/;
/** Making a share takes milliseconds: what is older and incomplete was left by a kill in between. */
const INCOMPLETE_MS = 60_000;

/** Where a share's host listens. */
export function socketOf(folder: StateFolder, token: string): string {
  return join(folder.run, `${token}.sock`);
}

/** False when the name is taken. */
export async function addEntry(folder: StateFolder, entry: ShareEntry): Promise<boolean> {
  const draft = join(folder.shares, `${entry.token}.draft-${randomBytes(5).toString('hex')}`);
  const { persistent, createdAt } = entry;
  try {
    await writeFile(draft, `${JSON.stringify({ persistent, createdAt })}\n`, { mode: 0o600, flag: 'wx' });
    // link(2), unlike rename(2), does not replace: of two that take a name one learns that it is taken.
    await link(draft, entryPath(folder, entry.token));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft).catch(() => {});
  }
}

export async function readEntry(folder: StateFolder, token: string): Promise<ShareEntry | undefined> {
  const path = entryPath(folder, token);
  try {
    const text = await readFile(path, 'utf8');
    return parseEntry(token, text) ?? { token, persistent: true, createdAt: (await lstat(path)).mtime };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function removeEntry(folder: StateFolder, token: string): Promise<void> {
  await unlink(entryPath(folder, token)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

/** Sorted by token, ephemeral ones of dead hosts removed. */
export async function sweptEntries(folder: StateFolder): Promise<(ShareEntry & { hosted: boolean })[]> {
  const names = await readdir(folder.shares);
  await Promise.all(names.filter((name) => DRAFT.test(name)).map((name) => sweepDraft(join(folder.shares, name))));
  const tokens = names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));
  await sweepOrphans(folder, new Set(tokens));
  const entries = await Promise.all(
    tokens
      .filter(isShareToken)
      .sort()
      .map((token) => sweptEntry(folder, token)),
  );
  return entries.filter((entry) => entry !== undefined);
}

/** One of them; undefined if there is none (any more). */
export async function sweptEntry(
  folder: StateFolder,
  token: string,
): Promise<(ShareEntry & { hosted: boolean }) | undefined> {
  const entry = await readEntry(folder, token);
  if (entry === undefined) return undefined;
  const socket = socketOf(folder, token);
  const hosted = await isAlive(socket);
  if (hosted || entry.persistent) return { ...entry, hosted };
  // A random token is never bound again, so nobody can be taking it over meanwhile.
  await sweepSocket(socket);
  await removeEntry(folder, token);
  return undefined;
}

/** A broken entry (power loss, a hand) must not wedge its share: it counts as persistent, and can be deleted. */
function parseEntry(token: string, text: string): ShareEntry | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { persistent, createdAt } = value as { persistent?: unknown; createdAt?: unknown };
    const date = new Date(typeof createdAt === 'string' ? createdAt : Number.NaN);
    if (typeof persistent !== 'boolean' || Number.isNaN(date.getTime())) return undefined;
    return { token, persistent, createdAt: date };
  } catch {
    return undefined;
  }
}

/** Sockets whose host was killed before its share had an entry: nobody will bind those names again. */
async function sweepOrphans(folder: StateFolder, entries: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(folder.run)) {
    const [, token] = SOCKET.exec(name) ?? [];
    if (token === undefined || entries.has(token)) continue;
    if (await isOld(join(folder.run, name))) await sweepSocket(socketOf(folder, token));
  }
}

async function sweepDraft(path: string): Promise<void> {
  if (await isOld(path)) await unlink(path).catch(() => {});
}

async function isOld(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined);
  return stats !== undefined && Date.now() - stats.mtimeMs > INCOMPLETE_MS;
}

function entryPath(folder: StateFolder, token: string): string {
  return join(folder.shares, `${token}${SUFFIX}`);
}
