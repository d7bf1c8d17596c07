// A folder of one test, gone after it; files in it have the mode they are made with.

import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Folder extends AsyncDisposable {
  readonly path: string;
  /** Resolves with its path. */
  write(name: string, content: string | Uint8Array, mode?: number): Promise<string>;
}

export async function tempFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'secret-'));
  return {
    path,
    write: async (name, content, mode = 0o600) => {
      const file = join(path, name);
      await writeFile(file, content);
      await chmod(file, mode);
      return file;
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}
