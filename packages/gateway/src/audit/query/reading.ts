// From what a person names (a configuration, a folder of logs, the folder of one log, nothing) to logs that can be read.

import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '@mcp-overlay/cli';
import { type AuditFrom, type AuditPlace, auditPlace, keyOf } from '../configured.ts';
import { AuditError } from '../errors.ts';
import { diskFiles } from '../files.ts';
import { logsIn } from '../folder.ts';
import { KeyRing } from '../keys.ts';
import { isSegmentName } from '../record.ts';
import { type LeafReader, leafReader } from './leaves.ts';

export interface ReadableLog {
  readonly id: string;
  readonly path: string;
  readonly ring: KeyRing;
  readonly leaves: LeafReader;
}

export interface ReadingOptions {
  /** undefined: the state folder. */
  readonly from: string | undefined;
  /** By env: file: cmd:, the one in use first; of a folder. */
  readonly keys: readonly string[];
  /** Only this log. */
  readonly log: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  load(config: string): Promise<AuditFrom>;
}

/** Those that were written to last come last. */
export async function readableLogs(options: ReadingOptions): Promise<readonly ReadableLog[]> {
  const { place, only } = await placeOf(options);
  const ids = (await logsIn(place.base, diskFiles)).filter((id) => (only === undefined ? true : id === only));
  if (ids.length === 0) {
    const which = only === undefined ? 'no audit log' : `no audit log ${only}`;
    throw new AuditError('audit_unreadable', `there is ${which} in ${place.base}`);
  }
  const secrets = [place.key, ...place.oldKeys];
  const ring = new KeyRing(secrets);
  const leaves = leafReader(secrets);
  const logs = await Promise.all(
    ids.map(async (id) => ({
      id,
      path: join(place.base, id),
      ring,
      leaves,
      at: await writtenAt(join(place.base, id)),
    })),
  );
  return logs.sort((a, b) => a.at - b.at);
}

async function placeOf(o: ReadingOptions): Promise<{ place: AuditPlace; only: string | undefined }> {
  const { from, env, log } = o;
  if (from === undefined) return { place: await withKeys(await auditPlaceOf({ file: resolve('.') }, o), o), only: log };
  const stats = await stat(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new UsageError(`${from} cannot be read (${error.code})`);
  });
  if (!stats) throw new UsageError(`${from} is neither a configuration nor a folder of audit logs`);
  if (!stats.isDirectory()) return { place: await withKeys(await auditPlaceOf(await o.load(from), o), o), only: log };
  const isLog = (await readdir(from)).some(isSegmentName);
  const path = resolve(from);
  const base = isLog ? dirname(path) : path;
  const only = isLog ? basename(path) : log;
  if (o.keys.length > 0) return { place: await withKeys({ base, key: new Uint8Array(), oldKeys: [] }, o), only };
  const audit = { ...EMPTY, path: base } as AuditFrom['audit'] & object;
  return { place: await auditPlace({ audit, file: path }, env), only };
}

const EMPTY = {
  keys: [],
  durability: 'os',
  arguments: 'digest',
  onFailure: 'deny',
  rotate: {},
  forwardSecure: false,
  receipts: false,
} as const;

function auditPlaceOf(from: AuditFrom, { env, keys }: ReadingOptions): Promise<AuditPlace> {
  return auditPlace(from, env, keys.length > 0 ? 'none needed' : 'refuse');
}

/** Keys of the command line come in place of others. */
async function withKeys(place: AuditPlace, { keys, env }: ReadingOptions): Promise<AuditPlace> {
  const [key, ...oldKeys] = await Promise.all(keys.map((reference) => keyOf(reference, env)));
  return key === undefined ? place : { base: place.base, key, oldKeys };
}

async function writtenAt(path: string): Promise<number> {
  const names = (await readdir(path)).filter(isSegmentName).sort();
  const last = names.at(-1);
  return last === undefined ? 0 : (await stat(join(path, last))).mtimeMs;
}
