// A JSON file of the state folder, 0600: written aside and put in place, so that a reader finds the old or the new one and
// never a half. Where several processes write, each holds a lock meanwhile: a listening socket, which the kernel closes
// however its process ends (decisions/010).

import { randomBytes } from 'node:crypto';
import { open, readFile, rename, unlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { OverlayError } from '../errors.ts';
import { bindSocket } from '../local/bind-socket.ts';

/** Another process writes a small file; one that is frozen there is waited for no longer. */
const LOCK_MS = 10_000;
const LOCK_PAUSE_MS = 10;

/** undefined when there is no such file. Rejects `state_file_invalid` when `parse` finds it broken (undefined). */
export async function readStateFile<T>(path: string, parse: (value: unknown) => T | undefined): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw invalid(path, `cannot be read (${error.code})`, error);
  });
  if (text === undefined) return undefined;
  const value = parse(parsed(text));
  // What it said may have kept somebody out: nothing is assumed in its place.
  if (value === undefined) throw invalid(path, 'is broken');
  return value;
}

export async function writeStateFile(path: string, value: unknown): Promise<void> {
  const draft = `${path}.draft-${randomBytes(5).toString('hex')}`;
  try {
    await using handle = await open(draft, 'wx', 0o600);
    await handle.writeFile(`${JSON.stringify(value, null, 1)}\n`);
    // Or after a loss of power the name could lead to an empty file.
    await handle.sync();
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => {});
    throw invalid(path, `cannot be written (${(error as NodeJS.ErrnoException).code})`, error);
  }
}

/** One process at a time. `lock`: a path in the state folder's `run`. */
export async function locked<T>(lock: string, run: () => Promise<T>): Promise<T> {
  const until = performance.now() + LOCK_MS;
  for (;;) {
    const bound = await bindSocket(lock, (socket) => socket.destroy()).catch((error: unknown) => {
      const busy = error instanceof OverlayError && error.code === 'share_in_use';
      if (!busy || performance.now() > until) throw error;
      return undefined;
    });
    if (bound) {
      try {
        return await run();
      } finally {
        await bound.close();
      }
    }
    await pause(LOCK_PAUSE_MS * (0.5 + Math.random()));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function invalid(path: string, why: string, cause?: unknown): OverlayError {
  return new OverlayError('state_file_invalid', `${path} ${why}`, {
    hint: 'mend it, or move it away; what it remembers is lost then',
    cause,
  });
}
