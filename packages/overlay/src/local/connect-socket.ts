// Reaching a socket file: what its name leads to, whether somebody listens there, and a connection to it. A name is a
// link to the socket itself (./bind-socket.ts), or a plain socket that another program made.

import { lstat, readlink } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { unsafeBecause } from '../home.ts';

/** connect(2): nobody listens there. Anything else is taken for a sign of life. */
const DEAD = new Set(['ECONNREFUSED', 'ENOENT', 'ENOTDIR', 'ENOTSOCK', 'ELOOP']);
/** A full backlog answers EAGAIN at once (unix(7)); the next try is a little later. */
const BACKLOG_RETRY_MS = 10;

/** The path to connect to; undefined where there is none, or where others may have put it. */
export async function socketBehind(path: string): Promise<string | undefined> {
  let target: string;
  try {
    target = await readlink(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EINVAL') return path;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
  if (!isAbsolute(target)) return join(dirname(path), target);
  // A temporary folder may have been emptied, and its name taken by somebody else.
  const stats = await lstat(dirname(target)).catch(() => undefined);
  return stats !== undefined && unsafeBecause(stats) === undefined ? target : undefined;
}

/** Whether a process listens behind this name. A frozen one does. */
export async function isAlive(path: string): Promise<boolean> {
  const target = await socketBehind(path);
  if (target === undefined) return false;
  return new Promise((resolve) => {
    const socket = connect(target);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(!DEAD.has(error.code ?? '')));
  });
}

/**
 * A connection to whoever listens behind this name; undefined when nobody does. A host that does not keep up with
 * accepting is tried again until `signal` says stop, then its reason is thrown.
 */
export async function connectSocket(path: string, signal: AbortSignal): Promise<Socket | undefined> {
  for (;;) {
    signal.throwIfAborted();
    const target = await socketBehind(path);
    if (target === undefined) return undefined;
    const tried = await connectOnce(target, signal);
    if (typeof tried !== 'string') return tried;
    if (DEAD.has(tried)) return undefined;
    await pause(BACKLOG_RETRY_MS * (0.5 + Math.random()));
  }
}

/** The socket, or the code of why not: EAGAIN or one of `DEAD`. */
function connectOnce(target: string, signal: AbortSignal): Promise<Socket | string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: target, allowHalfOpen: true });
    const onAbort = (): void => {
      socket.destroy();
      settled();
      reject(signal.reason);
    };
    const settled = (): void => {
      signal.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect).off('error', onError);
    };
    const onConnect = (): void => {
      settled();
      resolve(socket);
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      settled();
      const { code = '' } = error;
      if (code === 'EAGAIN' || code === 'ECONNRESET') resolve('EAGAIN');
      else if (DEAD.has(code)) resolve(code);
      else reject(error);
    };
    socket.on('connect', onConnect).on('error', onError);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
