// Which key a log goes on under, and which it was left under: when they differ, the change is put on record under the old one.

import { AuditError } from './errors.ts';
import { type EvolvedKey, EvolvingKeys, evolvedKeys, forgetEvolved, takeFirstKey } from './evolving.ts';
import type { AuditFiles } from './files.ts';
import { argumentKeys, type KeyRing } from './keys.ts';
import { stayingKey, type WritingKeys } from './writing-keys.ts';

export interface LogKeysOptions {
  readonly base: string;
  readonly folder: string;
  readonly files: AuditFiles;
  readonly ring: KeyRing;
  /** Of records; of arguments only, if those of records evolve. */
  readonly key: Uint8Array;
  readonly forwardSecure: boolean;
}

export interface LogKeys {
  readonly today: WritingKeys;
  /** That the log was left under; undefined: the same, or it is new. */
  readonly before: WritingKeys | undefined;
  /** Once it goes on under today's. */
  forgetOthers(): Promise<void>;
}

/** What the ring needs to read the end of the log. */
export async function holdEvolved({ folder, files, ring }: LogKeysOptions): Promise<EvolvedKey[]> {
  const evolved = await evolvedKeys(folder, files);
  for (const key of evolved) ring.hold(key);
  return evolved;
}

/** `left`: id of the key of the last record. */
export async function logKeys(
  o: LogKeysOptions,
  held: readonly EvolvedKey[],
  left: string | undefined,
): Promise<LogKeys> {
  const { base, folder, files, ring, key } = o;
  // Only now: a log that is broken must not use it up.
  const evolved = o.forwardSecure ? await takeFirstKey(base, folder, held, files) : held;
  const evolving = (at: EvolvedKey): WritingKeys => new EvolvingKeys(at, argumentKeys(key), ring, folder, files);
  // One that was never used was made to be used.
  const next = evolved.find(({ kid, before }) => kid !== left && before === undefined);
  const current = evolved.find(({ kid }) => kid === left);
  const at = next ?? current;
  if (o.forwardSecure && at === undefined) {
    throw new AuditError('audit_key_invalid', `there is no first key for a log in ${o.base}`, {
      hint: 'make one, and keep what it shows elsewhere: mcp-gateway audit key',
    });
  }
  const today = o.forwardSecure && at ? evolving(at) : stayingKey(key);
  return {
    today,
    before: left === undefined || left === today.kid ? undefined : current ? evolving(current) : oldKey(o, left),
    forgetOthers: async () => {
      for (const { kid } of evolved) if (kid !== today.kid) await forgetEvolved(folder, kid, files);
    },
  };
}

function oldKey({ folder, ring }: LogKeysOptions, kid: string): WritingKeys {
  const secret = kid.startsWith('k') ? ring.secretIn(kid, 0) : undefined;
  if (secret !== undefined) return stayingKey(secret);
  throw new AuditError('audit_key_unknown', `the audit log in ${folder} ends under key ${kid}, which is not known`, {
    hint: 'add the key that was in use before to audit.keys',
  });
}
