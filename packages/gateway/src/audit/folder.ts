// The folder of a log: ours alone. Whoever can write there can cut the log, and reading it shows who did what.

import { join } from 'node:path';
import { AuditError } from './errors.ts';
import type { AuditFiles } from './files.ts';
import { isSegmentName, segmentNumber } from './record.ts';

/** Makes it if it is absent. Rejects `audit_folder_unsafe`. */
export async function ownFolder(path: string, files: AuditFiles): Promise<void> {
  await files.makeFolder(path).catch((cause: NodeJS.ErrnoException) => {
    throw unsafe(`${path} cannot be made (${cause.code})`, 'name another folder in audit.path', cause);
  });
  const stats = await files.lstat(path);
  if (!stats.isDirectory()) throw unsafe(`${path} is not a folder`, 'name another folder in audit.path');
  if (stats.uid !== process.getuid?.()) throw unsafe(`${path} belongs to another user (uid ${stats.uid})`, 'chown it');
  if ((stats.mode & 0o077) !== 0) throw unsafe(`${path} is open to others`, `chmod 700 ${path}`);
}

/** Numbers of the segments in it, in order. */
export async function segmentsIn(path: string, files: AuditFiles): Promise<number[]> {
  const names = await files.list(path);
  return names
    .filter(isSegmentName)
    .map(segmentNumber)
    .sort((a, b) => a - b);
}

/** Ids of the logs in a folder of logs, in order. */
export async function logsIn(path: string, files: AuditFiles): Promise<string[]> {
  const names = await files.list(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => /^[0-9a-f]{32}$/.test(name)).sort();
}

export function logPath(base: string, log: string): string {
  return join(base, log);
}

function unsafe(text: string, hint: string, cause?: unknown): AuditError {
  return new AuditError('audit_folder_unsafe', `the audit folder ${text}`, { hint, cause });
}
