// One writer for each log. On Linux an abstract Unix socket, named after the folder itself: the kernel takes it back however
// we die, and no file is left. Such names belong to a network namespace, so a file says besides which process writes, with
// its start time, because process ids come back. Elsewhere a socket in the folder.

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { AuditError } from './errors.ts';
import { type AuditFiles, readWhole, writeWhole } from './files.ts';

const FILE = 'writer';

/** Rejects `audit_in_use`. */
export async function lockLog(
  folder: string,
  files: AuditFiles,
  platform = process.platform,
): Promise<AsyncDisposable> {
  const release = platform === 'linux' ? await bindAbstract(folder, files) : await bindPath(folder);
  try {
    await refuseOtherWriter(folder, files);
    await writeWhole(files, join(folder, FILE), `${process.pid} ${startOf(process.pid) ?? '-'}\n`);
  } catch (error) {
    await release();
    throw error;
  }
  return {
    [Symbol.asyncDispose]: async () => {
      await files.unlink(join(folder, FILE)).catch(() => {});
      await release();
    },
  };
}

/** Whether a living process writes there. */
export async function hasWriter(folder: string, files: AuditFiles): Promise<boolean> {
  return (await writerOf(folder, files)) !== undefined;
}

async function bindAbstract(folder: string, files: AuditFiles): Promise<() => Promise<void>> {
  const { dev, ino } = await files.lstat(folder);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? inUse(folder) : error);
    });
    server.listen(`\0mcp-audit/${dev}:${ino}`, resolve);
  });
  server.unref();
  return () => closed(server);
}

async function bindPath(folder: string): Promise<() => Promise<void>> {
  const { bindSocket } = await import('@mcp-overlay/overlay');
  const bound = await bindSocket(join(folder, 'lock'), (socket) => socket.destroy()).catch((error: unknown) => {
    throw (error as { code?: string }).code === 'share_in_use' ? inUse(folder) : error;
  });
  return () => bound.close();
}

async function refuseOtherWriter(folder: string, files: AuditFiles): Promise<void> {
  const pid = await writerOf(folder, files);
  if (pid !== undefined && pid !== process.pid) throw inUse(folder, pid);
}

async function writerOf(folder: string, files: AuditFiles): Promise<number | undefined> {
  const text = (await readWhole(files, join(folder, FILE), 64))?.toString('latin1') ?? '';
  const [, pid, start] = /^([0-9]+) (\S+)\n$/.exec(text) ?? [];
  return pid !== undefined && startOf(Number(pid)) === start ? Number(pid) : undefined;
}

/** Field 22 of proc(5) stat; undefined where there is no such process, or no /proc. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is a name in parentheses and may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}

function inUse(folder: string, pid?: number): AuditError {
  return new AuditError(
    'audit_in_use',
    `${folder} is written by another process${pid === undefined ? '' : ` (${pid})`}`,
    {
      hint: 'end it, or give this gateway an audit.path of its own',
    },
  );
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
