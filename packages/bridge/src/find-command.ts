// Looks before it serves: a command or folder that is not there is said to the person who typed it, now, not to each
// agent later. What is there may still fail to start; that is told per session.

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { UsageError } from '@mcp-overlay/cli';

export interface Wanted {
  readonly command: string;
  /** undefined: ours. */
  readonly cwd: string | undefined;
  /** The server's, whose PATH counts. */
  readonly env: Readonly<Record<string, string>>;
}

/** Throws a UsageError that names what is missing. */
export async function refuseMissing({ command, cwd, env }: Wanted): Promise<void> {
  if (cwd !== undefined && !(await isFolder(cwd))) throw new UsageError(`--working-dir ${cwd}: no such folder`);
  // Windows also tries endings and registered paths: there the system is asked at the first start.
  if (process.platform === 'win32') return;
  const named = command.includes('/');
  const places = named
    ? [resolve(cwd ?? '.', command)]
    : (env.PATH ?? '').split(delimiter).map((dir) => join(dir, command));
  // Without PATH the system has one of its own.
  if (!named && env.PATH === undefined) return;
  for (const place of places) if (await isProgram(place)) return;
  throw new UsageError(
    named ? `${command} is no program that can be run` : `no program ${command} on PATH`,
    'mcp-bridge [options] COMMAND [ARGS…]; options stand before the command',
  );
}

async function isFolder(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isDirectory() === true;
}

async function isProgram(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isFile() !== true) return false;
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
