// An action of `mcp-gateway audit`: what it does, and which of the command's options belong to it.

import { type ExitCode, type Flags, openLog, UsageError } from '@mcp-overlay/cli';
import type { AuditFrom } from '../../audit/configured.ts';
import { type ReadableLog, readableLogs } from '../../audit/query/reading.ts';
import { secretsOf } from '../../secrets.ts';
import { askedAtStart } from '../ask-passphrase.ts';
import { loadConfig } from '../load-config.ts';

export interface AuditAction {
  readonly describe: string;
  /** Besides those that say which log. */
  readonly options: readonly string[];
  run(flags: Flags): Promise<ExitCode>;
}

/** The logs that PATH, `--key` and `--log` name. */
export function logsFrom(flags: Flags): Promise<readonly ReadableLog[]> {
  return readableLogs({
    from: flags.path as string | undefined,
    keys: [...((flags.key as string[] | undefined) ?? []), ...((flags.keyring as string[] | undefined) ?? [])],
    log: flags.log as string | undefined,
    env: process.env,
    load: loadForAudit,
  });
}

/** A configuration whose log is read: its keys may be in its vault. */
export async function loadForAudit(path: string): Promise<AuditFrom> {
  const config = await loadConfig(path);
  const keys = config.audit === undefined || config.audit === 'off' ? [] : [config.audit.key, ...config.audit.keys];
  const passphrase = keys.some((key) => key?.kind === 'vault') ? await askedAtStart(config) : undefined;
  const log = openLog({ program: 'mcp-gateway', level: 'error' });
  return { ...config, secrets: secretsOf({ config, env: process.env, log, passphrase }) };
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `2026-11-20`, `2026-11-20T07:00Z`, or how long ago: `90m`, `7d`. */
export function timeFlag(flags: Flags, name: string, now = Date.now()): number | undefined {
  const text = flags[name] as string | undefined;
  if (text === undefined) return undefined;
  const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  const ms = count === undefined ? Date.parse(text) : now - Number(count) * (UNITS[unit] ?? 0);
  if (!Number.isNaN(ms)) return ms;
  throw new UsageError(
    `--${name}: ${text} is no time`,
    'as in 2026-11-20, 2026-11-20T07:00Z, or how long ago: 90m, 7d',
  );
}

export function countFlag(flags: Flags, name: string): number | undefined {
  const text = flags[name] as string | undefined;
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`--${name}: expected a whole number (got ${text})`);
}

/** Resolves when stdout takes more; a pipe that is gone ends the program elsewhere. */
export async function writeLine(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`)) return;
  await new Promise<void>((resolve) => {
    process.stdout.once('drain', resolve);
  });
}
