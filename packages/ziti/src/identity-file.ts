// Writing identity files: 0600, whole or not at all, never over another one. A reserved file holds its place on the disk
// before anything irreversible is done (an enrollment token works once). Form: openziti/sdk-golang ziti/config.go.

import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { type FileHandle, link, open, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { ZitiError } from './errors.ts';

export interface IdentityContents {
  readonly controllers: readonly string[];
  readonly keyPem: string;
  readonly certPem: string;
  readonly caPem: string;
}

export interface ReservedFile extends AsyncDisposable {
  readonly path: string;
  /** The file appears under its name, complete. Once. */
  commit(contents: IdentityContents): Promise<void>;
  /** Without commit: nothing is left behind. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Room taken in advance: several times what a long chain and bundle need. */
const RESERVED_BYTES = 64 * 1024;
/** Of file systems without hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK']);

export async function writeIdentity(path: string, contents: IdentityContents): Promise<void> {
  await using file = await reserveIdentityFile(path);
  await file.commit(contents);
}

export async function reserveIdentityFile(path: string): Promise<ReservedFile> {
  const target = resolve(path);
  if (await exists(target)) throw taken(path);
  const draft = join(dirname(target), `.${basename(target)}.draft-${randomBytes(6).toString('hex')}`);
  let handle: FileHandle | undefined = await open(draft, 'wx', 0o600).catch((cause: unknown) => {
    throw unwritable(path, cause);
  });
  const release = async (keep: boolean): Promise<void> => {
    const held = handle;
    handle = undefined;
    await held?.close().catch(() => {});
    if (held !== undefined && !keep) await unlink(draft).catch(() => {});
  };
  try {
    await handle.write(Buffer.alloc(RESERVED_BYTES, ' '), 0, RESERVED_BYTES, 0);
    await handle.sync();
  } catch (cause) {
    await release(false);
    throw unwritable(path, cause);
  }
  return {
    path: target,
    async commit(contents) {
      if (handle === undefined) throw new Error('a reserved file is committed once');
      let written = false;
      try {
        await writeWhole(handle, Buffer.from(identityJson(contents)));
        written = true;
        await publish(draft, target);
        written = false;
        await syncFolder(dirname(target));
      } catch (cause) {
        // The identity cannot be had again: what was written stays under the name of the draft.
        const kept = written ? `It is kept in ${draft}: give that file another name.` : undefined;
        throw (cause as NodeJS.ErrnoException).code === 'EEXIST' ? taken(path, kept) : unwritable(path, cause, kept);
      } finally {
        await release(written);
      }
    },
    [Symbol.asyncDispose]: () => release(false),
  };
}

export function identityJson({ controllers, keyPem, certPem, caPem }: IdentityContents): string {
  const [first = ''] = controllers;
  const file = {
    ztAPI: first,
    ...(controllers.length > 1 ? { ztAPIs: controllers } : {}),
    configTypes: null,
    id: { key: `pem:${traditionalPem(createPrivateKey(keyPem))}`, cert: `pem:${certPem}`, ca: `pem:${caPem}` },
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** The forms that the Go tools write themselves: SEC1 for EC, PKCS#1 for RSA. Ed25519 has only PKCS#8. */
function traditionalPem(key: KeyObject): string {
  const { asymmetricKeyType: kind } = key;
  return key.export({ type: kind === 'ec' ? 'sec1' : kind === 'rsa' ? 'pkcs1' : 'pkcs8', format: 'pem' }) as string;
}

async function writeWhole(handle: FileHandle, text: Uint8Array): Promise<void> {
  for (let at = 0; at < text.length; ) at += (await handle.write(text, at, text.length - at, at)).bytesWritten;
  await handle.truncate(text.length);
  await handle.sync();
}

/** link(2), unlike rename(2), does not replace: of two that write one name one learns that it is taken. */
async function publish(draft: string, target: string): Promise<void> {
  try {
    await link(draft, target);
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    if (await exists(target)) throw Object.assign(new Error('exists'), { code: 'EEXIST' });
    await rename(draft, target);
  }
}

/** The name survives a power loss only when its folder was written, too. Not every system can (Windows). */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function taken(path: string, kept?: string): ZitiError {
  return new ZitiError('identity_exists', `${path} exists already`, {
    hint: kept ?? 'Choose another name, or remove the file if nobody uses that identity any more.',
  });
}

function unwritable(path: string, cause: unknown, kept?: string): ZitiError {
  const { code = 'error' } = cause as NodeJS.ErrnoException;
  return new ZitiError('identity_unwritable', `identity file ${path} cannot be written (${code})`, {
    hint: kept ?? 'Choose a folder that exists and that you may write to.',
    cause,
  });
}
