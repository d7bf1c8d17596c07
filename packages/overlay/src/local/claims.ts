// Claims decide who may take a socket name over, safely against any number of racing processes and a SIGKILL anywhere.
//   name~id.s   a contender's socket, listening before the claim exists
//   name~id     its claim: a link to that socket; made once, never used again
// A contender announces its claim, then looks for others: of two that win, the later one would have seen the earlier.
// A claim whose socket nobody listens on is dead for ever, so anybody may sweep it. Locks that only their holder can
// open would wedge a share when the holder is killed; the kernel closes a listening socket for us.

import { randomBytes } from 'node:crypto';
import { lstat, mkdtemp, readdir, readlink, rename, rmdir, symlink, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { isAlive } from './connect-socket.ts';

/** sun_path holds 108 bytes on Linux, 104 on macOS (sys/un.h), the closing NUL included. */
const MAX_SOCKET_PATH_BYTES = 100;
const TEMP_PREFIX = 'mcp-overlay-';
/** Every client of a big gateway may come back at once; the kernel cuts this to its own limit (somaxconn). */
const BACKLOG = 1024;
/** From bind(2) to the claim takes under a millisecond: older sockets without a claim were left by a kill in between. */
const UNCLAIMED_MS = 60_000;
const ID = /^[0-9a-f]{10}/;

export interface Claim {
  readonly id: string;
  readonly server: Server;
  /** Makes the name lead to our socket, in one step, whatever was there. Only for who has won. */
  publish(): Promise<void>;
  /** Whether the name still leads to us. */
  isPublished(): Promise<boolean>;
  /** Gives the name up and stops listening. Open connections live on. Idempotent. */
  withdraw(): Promise<void>;
}

/** Listens on a socket of its own and announces that. */
export async function announce(
  path: string,
  onSocket: (socket: Socket) => void,
  allowHalfOpen: boolean,
): Promise<Claim> {
  const id = randomBytes(5).toString('hex');
  const claim = `${path}~${id}`;
  const { socketPath, target } = await placeFor(`${claim}.s`);
  const server = createServer({ allowHalfOpen }, onSocket);
  await listen(server, socketPath);
  let withdrawn: Promise<void> | undefined;

  const isPublished = async (): Promise<boolean> => {
    const [leadsTo, socket] = await Promise.all([
      readlink(path).catch(() => undefined),
      lstat(socketPath).catch(() => undefined),
    ]);
    return leadsTo === target && socket !== undefined;
  };
  const withdraw = async (): Promise<void> => {
    // In this order: while we listen nobody else can take the name, so it is ours that we remove.
    if ((await readlink(path).catch(() => undefined)) === target) await unlinkAny(path);
    server.close();
    await removeSocket(socketPath, target);
    await unlinkAny(claim);
  };
  const result: Claim = {
    id,
    server,
    isPublished,
    publish: async () => {
      await symlink(target, `${claim}~`);
      await rename(`${claim}~`, path);
    },
    withdraw: () => {
      withdrawn ??= withdraw();
      return withdrawn;
    },
  };
  try {
    await symlink(target, claim);
  } catch (error) {
    await result.withdraw();
    throw error;
  }
  return result;
}

/** Ids of the living claims on this name but ours; sweeps the dead ones. */
export async function rivals(path: string, ownId?: string): Promise<string[]> {
  const prefix = `${basename(path)}~`;
  const names = await readdir(dirname(path));
  const ids = new Set<string>();
  for (const name of names) {
    const [id] = name.startsWith(prefix) ? (ID.exec(name.slice(prefix.length)) ?? []) : [];
    if (id !== undefined && id !== ownId) ids.add(id);
  }
  const claimed = new Set(names);
  const living = await Promise.all(
    [...ids].map(async (id) => {
      if (!claimed.has(`${prefix}${id}`)) {
        await sweepUnclaimed(`${path}~${id}.s`);
        return undefined;
      }
      // A name that only looks like a claim leads to the socket of a claim of its own.
      const target = await readlink(`${path}~${id}`).catch(() => undefined);
      if (target !== undefined && !isAbsolute(target) && target !== `${prefix}${id}.s`) return undefined;
      if (await isAlive(`${path}~${id}`)) return id;
      await sweep(`${path}~${id}`);
      return undefined;
    }),
  );
  return living.filter((id) => id !== undefined);
}

/** Where the socket file goes, and how links in the name's folder say so. */
async function placeFor(wanted: string): Promise<{ socketPath: string; target: string }> {
  if (Buffer.byteLength(wanted) <= MAX_SOCKET_PATH_BYTES) return { socketPath: wanted, target: basename(wanted) };
  const near = join(tmpdir(), `${TEMP_PREFIX}XXXXXX`, 's');
  const parent = Buffer.byteLength(near) <= MAX_SOCKET_PATH_BYTES ? tmpdir() : '/tmp';
  const socketPath = join(await mkdtemp(join(parent, TEMP_PREFIX)), 's');
  return { socketPath, target: socketPath };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // bind(2) happens inside listen(): the socket is 0600 from its first moment on.
    const before = process.umask(0o177);
    try {
      server.listen({ path, backlog: BACKLOG, exclusive: true }, () => {
        // accept(2) out of file descriptors is reported here; the next connection is tried again.
        server.off('error', reject).on('error', () => {});
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

async function sweep(claim: string): Promise<void> {
  const target = await readlink(claim).catch(() => undefined);
  if (target !== undefined) await removeSocket(isAbsolute(target) ? target : join(dirname(claim), target), target);
  await unlinkAny(`${claim}~`);
  await unlinkAny(claim);
}

async function sweepUnclaimed(socketPath: string): Promise<void> {
  const stats = await lstat(socketPath).catch(() => undefined);
  if (stats && Date.now() - stats.mtimeMs > UNCLAIMED_MS && !(await isAlive(socketPath))) await unlinkAny(socketPath);
}

async function removeSocket(socketPath: string, target: string): Promise<void> {
  const folder = dirname(socketPath);
  const moved = isAbsolute(target);
  if (moved && !basename(folder).startsWith(TEMP_PREFIX)) return;
  await unlinkAny(socketPath);
  if (moved) await rmdir(folder).catch(() => {});
}

/** Somebody else may have swept it. */
async function unlinkAny(path: string): Promise<void> {
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
  });
}
