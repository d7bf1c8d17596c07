// A home of its own for a test, gone when disposed.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function tempHome(): Promise<AsyncDisposable & { path: string; zrok: string }> {
  const path = await mkdtemp(join(tmpdir(), 'zrok-home-'));
  return {
    path,
    zrok: join(path, '.zrok2'),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
