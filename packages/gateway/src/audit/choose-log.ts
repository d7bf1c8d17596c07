// Which log of a folder a gateway writes: one that nobody writes now, or a new one. So several gateways can share a folder,
// and one that starts again goes on with what it left.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { AuditError } from './errors.ts';
import { type AuditFiles, readWhole, writeWhole } from './files.ts';
import { logPath, logsIn, ownFolder } from './folder.ts';
import { hmac } from './line-hash.ts';
import { lockLog } from './lock.ts';

export interface ChosenLog {
  readonly id: string;
  readonly folder: string;
  readonly lock: AsyncDisposable;
}

/** More gateways than start at once. */
const MAX_NEW = 64;

/** `keys`: of the gateway, today's and older ones. */
export async function chooseLog(base: string, keys: readonly Uint8Array[], files: AuditFiles): Promise<ChosenLog> {
  await ownFolder(base, files);
  for (const id of await logsIn(base, files)) {
    if (await isReplaced(logPath(base, id), id, keys, files)) continue;
    const taken = await take(base, id, files);
    if (taken !== undefined) return taken;
  }
  return newLog(base, files);
}

/** Gateways that start side by side look for a log while the folder of a new one is there and not locked yet: whoever made
 * it makes another. Each loses at most one to each of the others. */
export async function newLog(base: string, files: AuditFiles): Promise<ChosenLog> {
  for (let tried = 1; ; tried += 1) {
    const id = randomBytes(16).toString('hex');
    await ownFolder(logPath(base, id), files);
    await files.syncFolder(base);
    const taken = await take(base, id, files);
    if (taken !== undefined) return taken;
    if (tried === MAX_NEW) throw new AuditError('audit_in_use', `others took each of ${tried} new logs in ${base}`);
  }
}

/** undefined: somebody writes it. */
async function take(base: string, id: string, files: AuditFiles): Promise<ChosenLog | undefined> {
  const folder = logPath(base, id);
  await ownFolder(folder, files);
  try {
    return { id, folder, lock: await lockLog(folder, files) };
  } catch (error) {
    if (error instanceof AuditError && error.code === 'audit_in_use') return undefined;
    throw error;
  }
}

/** Says beside a broken log that another was begun in its place. Only who has a key of the gateway's can. */
export async function markReplaced(folder: string, { id, by, key }: Replacement, files: AuditFiles): Promise<void> {
  await writeWhole(files, join(folder, MARK), markOf(id, by, key));
}

async function isReplaced(
  folder: string,
  id: string,
  keys: readonly Uint8Array[],
  files: AuditFiles,
): Promise<boolean> {
  const mark = (await readWhole(files, join(folder, MARK), 256))?.toString() ?? '';
  const by = mark.slice(0, id.length);
  return keys.some((key) => markOf(id, by, key) === mark);
}

interface Replacement {
  readonly id: string;
  readonly by: string;
  readonly key: Uint8Array;
}

const MARK = 'replaced';

function markOf(id: string, by: string, key: Uint8Array): string {
  return `${by} ${hmac(key, `mcp-audit/v1 replaced\n${id}\n${by}`).toString('hex')}\n`;
}
