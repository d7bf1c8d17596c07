// `mcp-gateway audit key [PATH]`: the first key of a log whose keys evolve. stdout carries it, this once.

import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EXIT, type Flags, say } from '@mcp-overlay/cli';
import { auditPlace } from '../../audit/configured.ts';
import { makeFirstKey } from '../../audit/evolving.ts';
import { diskFiles } from '../../audit/files.ts';
import { ownFolder } from '../../audit/folder.ts';
import { loadConfig } from '../load-config.ts';
import type { AuditAction } from './action.ts';

export const keyAction: AuditAction = {
  describe: 'makes the first key of a log with forward_secure',
  options: [],
  run: async (flags: Flags) => {
    const base = await baseOf(flags.path as string | undefined);
    await ownFolder(base, diskFiles);
    const { key, kid } = await makeFirstKey(base, diskFiles);
    process.stdout.write(`${key}\n`);
    say(
      `mcp-gateway: first key ${kid} of the next log in ${base}`,
      'keep it elsewhere, where audit verify is run: it is not shown again, and what it is on this machine is destroyed once used',
    );
    return EXIT.done;
  },
};

async function baseOf(path: string | undefined): Promise<string> {
  const folder = path !== undefined && (await stat(path)).isDirectory();
  if (folder) return resolve(path);
  const config = path === undefined ? { file: resolve('.') } : await loadConfig(path);
  return (await auditPlace(config, process.env, 'none needed')).base;
}
