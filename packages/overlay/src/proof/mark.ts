// A file that is read again when it changes, and what it said before as long as the new contents are no good.

import { stat } from 'node:fs/promises';

/** Changes with the file's contents; `none` where there is no file. */
export async function markOf(file: string): Promise<string> {
  const stats = await stat(file, { bigint: true }).catch(() => undefined);
  return stats === undefined ? 'none' : `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`;
}

/** The first reading may fail; a later one that fails keeps what was read before. `read` is given that. */
export async function rereadFile<T>(
  file: string,
  read: (file: string, before: T | undefined) => Promise<T>,
  warn: (file: string, error: unknown) => void,
): Promise<() => Promise<T>> {
  let value = await read(file, undefined);
  let seen = await markOf(file);
  return async () => {
    const mark = await markOf(file);
    if (mark === seen) return value;
    seen = mark;
    try {
      value = await read(file, value);
    } catch (error) {
      warn(file, error);
    }
    return value;
  };
}
