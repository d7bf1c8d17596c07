// keys.json beside the segments: ids of the keys that were used and the public keys that checkpoints are signed with. For
// people and for whoever checks without a secret; nothing that the log says of itself rests on it.

import { join } from 'node:path';
import { type AuditFiles, readWhole, writeWhole } from './files.ts';

export interface PublicKeys {
  readonly log: string;
  readonly keys: readonly string[];
  readonly checkpoints: readonly string[];
}

const FILE = 'keys.json';
const MAX_BYTES = 256 * 1024;

export async function readPublicKeys(folder: string, files: AuditFiles): Promise<PublicKeys | undefined> {
  const text = await readWhole(files, join(folder, FILE), MAX_BYTES);
  try {
    const { log, keys, checkpoints } = JSON.parse((text ?? '').toString()) as PublicKeys;
    const texts = (value: unknown): string[] =>
      Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
    return { log: String(log), keys: texts(keys), checkpoints: texts(checkpoints) };
  } catch {
    return undefined;
  }
}

/** Adds what is new. */
export async function addPublicKeys(folder: string, added: PublicKeys, files: AuditFiles): Promise<void> {
  const known = await readPublicKeys(folder, files);
  const all = {
    log: added.log,
    keys: [...new Set([...(known?.keys ?? []), ...added.keys])],
    checkpoints: [...new Set([...(known?.checkpoints ?? []), ...added.checkpoints])],
  };
  const text = `${JSON.stringify(all, null, 1)}\n`;
  if (JSON.stringify(known) !== JSON.stringify(all)) await writeWhole(files, join(folder, FILE), text);
}
