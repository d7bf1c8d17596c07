// From the configuration's `audit` to the log's place and keys. Without the key `audit` there is a log all the same: in the
// state folder, left to the page cache. Whoever only reads makes nothing.

import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hideFromOutput } from '@mcp-overlay/cli';
import {
  type AuditConfig,
  type GatewayConfig,
  parseSecretReference,
  type ResolveOptions,
  resolveSecret,
  type SecretReference,
} from '@mcp-overlay/config';
import { stateFolder } from '@mcp-overlay/overlay';
import type { AuditLog } from './audit-log.ts';
import { AuditError } from './errors.ts';
import { checkKey } from './keys.ts';
import { checkpointKey } from './note.ts';
import { openAuditLog } from './open-audit-log.ts';

export interface AuditPlace {
  /** A folder in it for each log. */
  readonly base: string;
  readonly key: Uint8Array;
  readonly oldKeys: readonly Uint8Array[];
}

/** The part of a configuration that says where the log is. */
export type AuditFrom = Pick<GatewayConfig, 'audit' | 'file'> & {
  /** How its keys are read; absent: without a vault. */
  readonly secrets?: ResolveOptions | undefined;
};

export interface ConfiguredAudit {
  readonly log: AuditLog;
  /** Whether answers carry the numbers of their records: where the configuration says `audit`, and not otherwise. */
  readonly receipts: boolean;
}

export interface OpenConfiguredOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Of the program, for the record. */
  readonly by: string;
  /** A log that was changed is left, and another begun. */
  readonly acceptBroken?: boolean;
  onTrouble(trouble: string | undefined): void;
}

/** What becomes of a key that is not there. */
type Missing = 'make the key' | 'refuse' | 'none needed';

const onSecret = (value: Buffer): void => void hideFromOutput(value);
const KEY_FILE = 'audit.key';
const MADE_KEY_BYTES = 32;

/** undefined: `audit: off`. */
export async function openConfiguredAudit(
  config: AuditFrom,
  { env, by, acceptBroken = false, onTrouble }: OpenConfiguredOptions,
): Promise<ConfiguredAudit | undefined> {
  const { audit } = config;
  if (audit === 'off') return undefined;
  const place = await auditPlace(config, env, 'make the key');
  const checkpoint = audit?.checkpoint && (await checkpointOf(audit.checkpoint, readingOf(config, env)));
  const log = await openAuditLog({
    ...(checkpoint && { checkpoint }),
    ...place,
    by,
    acceptBroken,
    onTrouble,
    ...(audit ? settingsOf(audit) : { durability: 'os' as const }),
  });
  return { log, receipts: audit?.receipts ?? false };
}

/** Rejects `audit_key_unknown` where there is no key to read with. */
export async function auditPlace(
  from: AuditFrom,
  env: NodeJS.ProcessEnv,
  missing: Missing = 'refuse',
): Promise<AuditPlace> {
  const { audit } = from;
  const its: Partial<AuditConfig> = audit === undefined || audit === 'off' ? {} : audit;
  const base = its.path ?? join((await stateFolder(env)).path, 'audit');
  const reading = readingOf(from, env);
  const key = its.key && missing !== 'none needed' ? await secretOf(its.key, reading) : await keyBeside(base, missing);
  const old = missing === 'none needed' ? [] : (its.keys ?? []);
  const oldKeys = await Promise.all(old.map((one) => secretOf(one, reading)));
  return { base, key, oldKeys };
}

/** What `--key REF` names on a command line. */
export async function keyOf(reference: string, env: NodeJS.ProcessEnv): Promise<Uint8Array> {
  const parsed = parseSecretReference(reference);
  if (!parsed)
    throw new AuditError('audit_key_invalid', `${reference} names no key`, { hint: 'as in file:/etc/mcp/audit.key' });
  return secretOf(parsed, { env, baseDir: process.cwd(), onSecret });
}

function settingsOf({ durability, intervalMs, arguments: mode, onFailure, rotate, forwardSecure }: AuditConfig) {
  const ms = rotate.ageMs;
  return {
    durability,
    forwardSecure,
    arguments: mode,
    onFailure,
    rotate: { ...(rotate.bytes !== undefined && { bytes: rotate.bytes }), ...(ms !== undefined && { ms }) },
    ...(intervalMs !== undefined && { intervalMs }),
  };
}

async function checkpointOf({ key, everyMs }: NonNullable<AuditConfig['checkpoint']>, reading: ResolveOptions) {
  const secret = await resolveSecret(key, reading);
  return { key: secret.use(checkpointKey), ...(everyMs !== undefined && { everyMs }) };
}

function readingOf({ file, secrets }: AuditFrom, env: NodeJS.ProcessEnv): ResolveOptions {
  return secrets ?? { env, baseDir: dirname(file), onSecret };
}

async function secretOf(reference: SecretReference, reading: ResolveOptions): Promise<Uint8Array> {
  const secret = await resolveSecret(reference, reading);
  return secret.use((value) => checkKey(Uint8Array.from(value), reference.text));
}

async function keyBeside(base: string, missing: Missing): Promise<Uint8Array> {
  if (missing === 'none needed') return new Uint8Array();
  const path = join(base, KEY_FILE);
  if (missing === 'make the key') {
    await mkdir(base, { recursive: true, mode: 0o700 });
    await makeKey(path);
  }
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    const hint = 'name it with --key file:PATH, or name the configuration of its gateway';
    throw new AuditError('audit_key_unknown', `the key ${path} cannot be read (${error.code})`, { hint });
  });
  return checkKey(Buffer.from(text.trim()), path);
}

/** Leaves one that is there. */
async function makeKey(path: string): Promise<void> {
  try {
    await using file = await open(path, 'wx', 0o600);
    await file.writeFile(`${randomBytes(MADE_KEY_BYTES).toString('hex')}\n`);
    await file.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    const hint = 'name another folder in audit.path';
    throw new AuditError('audit_folder_unsafe', `the key ${path} cannot be made`, { hint, cause: error });
  }
}
