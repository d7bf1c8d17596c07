// The log's own checkpoints: written at each seal, every so often, and at its end. Whoever copies one elsewhere has an anchor.

import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { ChainState } from './chain.ts';
import { AuditError } from './errors.ts';
import { type AuditFiles, readWhole, writeWhole } from './files.ts';
import { isSignedBy, MAX_NOTE_BYTES, parseCheckpoint, signCheckpoint, verifierKey } from './note.ts';

export const CHECKPOINT_FILE = 'checkpoint';

export async function writeCheckpoint(
  { log, folder, files }: { readonly log: string; readonly folder: string; readonly files: AuditFiles },
  { seq, tree }: ChainState,
  key: KeyObject,
): Promise<void> {
  await writeWhole(files, join(folder, CHECKPOINT_FILE), signCheckpoint({ log, size: seq, root: tree.root() }, key));
}

/** The note in a log's folder; undefined: there is none. */
export async function readCheckpoint(folder: string, files: AuditFiles): Promise<string | undefined> {
  return (await readWhole(files, join(folder, CHECKPOINT_FILE), MAX_NOTE_BYTES))?.toString();
}

/** Rejects `audit_broken` when the log is shorter than what we signed. */
export async function refuseShortened(
  { log, folder, files }: { readonly log: string; readonly folder: string; readonly files: AuditFiles },
  { seq }: ChainState,
  key: KeyObject,
): Promise<void> {
  const note = (await readCheckpoint(folder, files)) ?? '';
  const size = parseCheckpoint(note)?.size ?? 0;
  if (size <= seq || !isSignedBy(note, [verifierKey(log, key)])) return;
  throw new AuditError('audit_broken', `audit log ${log} ends at record ${seq}, its own checkpoint names ${size}`, {
    hint: `look at it: mcp-gateway audit verify ${folder}; to begin another log beside it: mcp-gateway run --accept-broken`,
  });
}
