// Which log of a folder a gateway writes: one that nobody writes now, or a new one. So several gateways can share a folder,
// and one that starts again goes on with what it left.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseRecord } from './bodies.ts';
import { AuditError } from './errors.ts';
import type { AuditFiles } from './files.ts';
import { logPath, logsIn, ownFolder, segmentsIn } from './folder.ts';
import { Inspector } from './inspect.ts';
import type { KeyRing } from './keys.ts';
import { eachLine } from './lines.ts';
import { lockLog } from './lock.ts';
import { segmentName } from './record.ts';

export interface ChosenLog {
  readonly id: string;
  readonly folder: string;
  readonly lock: AsyncDisposable;
}

export async function chooseLog(base: string, ring: KeyRing, files: AuditFiles): Promise<ChosenLog> {
  await ownFolder(base, files);
  const ids = await logsIn(base, files);
  const given = new Set<string>();
  for (const id of ids) {
    const replaces = await replacedBy(logPath(base, id), ring, files);
    if (replaces !== undefined) given.add(replaces);
  }
  for (const id of ids) {
    if (given.has(id)) continue;
    const taken = await take(base, id, files);
    if (taken !== undefined) return taken;
  }
  return newLog(base, files);
}

export async function newLog(base: string, files: AuditFiles): Promise<ChosenLog> {
  const id = randomBytes(16).toString('hex');
  await ownFolder(logPath(base, id), files);
  await files.syncFolder(base);
  const taken = await take(base, id, files);
  if (taken === undefined) throw new AuditError('audit_in_use', `somebody else took the new log ${id}`);
  return taken;
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

/** The id of a broken log that this one was begun in place of: its second record says so, under its key. */
async function replacedBy(folder: string, ring: KeyRing, files: AuditFiles): Promise<string | undefined> {
  const [seg] = await segmentsIn(folder, files);
  if (seg !== 1) return undefined;
  const file = await files.openToRead(join(folder, segmentName(seg)));
  const inspector = new Inspector(ring);
  let found: string | undefined;
  try {
    await eachLine(file, 0, ({ bytes }) => {
      const seen = inspector.inspect(bytes, seg);
      if (seen.is !== 'record' || seen.head.seq > 2) return false;
      const { replaces } = parseRecord(bytes);
      if (typeof replaces === 'string') found = replaces;
      return true;
    });
  } finally {
    await file.close();
  }
  return found;
}
