// A file with a secret: a regular one that belongs to us or to root, with nothing in it for others. What is judged is the
// open file, never its name.

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SecretError } from './errors.ts';

/** Of one secret: the largest that people have are keys with their certificates. */
export const MAX_SECRET_BYTES = 64 * 1024;

export interface SecretFileOptions {
  /** Its group may read it: systemd gives a service its credentials that way (mode 0440, or an ACL, whose mask shows as
   *  the group's bits), in a folder that nobody else can enter. */
  readonly group?: boolean;
  readonly maxBytes?: number;
}

/** Rejects with a SecretError that names `shown`. */
export async function readSecretFile(
  file: string,
  shown: string,
  { group = false, maxBytes = MAX_SECRET_BYTES }: SecretFileOptions = {},
): Promise<Buffer> {
  // A pipe without a writer would be waited for.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: NodeJS.ErrnoException) => {
    throw new SecretError('secret_missing', `${shown} cannot be read (${error.code})`);
  });
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw new SecretError('secret_missing', `${shown} is no regular file`);
    if (process.platform !== 'win32') {
      const { mode, uid } = stats;
      if ((mode & (group ? 0o037 : 0o077)) !== 0) {
        throw new SecretError(
          'secret_open_to_others',
          `${shown} is open to others than its owner`,
          `chmod 600 ${file}`,
        );
      }
      if (uid !== process.getuid?.() && uid !== 0) {
        const hint = 'it must belong to the user who runs this program, or to root';
        throw new SecretError('secret_open_to_others', `${shown} belongs to another user`, hint);
      }
    }
    return await readCapped(handle, shown, maxBytes);
  } finally {
    await handle.close();
  }
}

export function atHome(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;
}

/** Its size may change while it is read. */
async function readCapped(handle: FileHandle, shown: string, maxBytes: number): Promise<Buffer> {
  const bytes = Buffer.alloc(maxBytes + 1);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length).catch((error) => {
      throw new SecretError('secret_missing', `${shown} cannot be read (${error.code})`);
    });
    if (bytesRead === 0) return Buffer.from(bytes.subarray(0, length));
    length += bytesRead;
  }
  throw new SecretError('secret_too_large', `${shown} has more than the ${maxBytes} bytes that it may have`);
}
