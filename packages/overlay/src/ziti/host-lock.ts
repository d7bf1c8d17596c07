// One host of a share for each identity: a socket in `run/`, whose listener is alive exactly as long as its process
// (../local/claims.ts). It also tells who looks whether a share is hosted by a program of this user.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { OverlayError } from '../errors.ts';
import type { StateFolder } from '../home.ts';
import { type BoundSocket, bindSocket } from '../local/bind-socket.ts';
import { isAlive } from '../local/connect-socket.ts';
import { inUse } from '../local/refusals.ts';

export interface ShareKey {
  /** What tells networks and identities apart: driver, address, identity. */
  readonly network: readonly string[];
  readonly token: string;
}

/** Rejects `share_in_use`. `takeOver`: its holder has agreed to lose it. */
export function lockShare(folder: StateFolder, key: ShareKey, takeOver = false): Promise<BoundSocket> {
  return bindSocket(lockPath(folder, key), (socket) => socket.destroy(), { takeOver }).catch((error: unknown) => {
    throw error instanceof OverlayError && error.code === 'share_in_use' ? inUse(key.token, error) : error;
  });
}

export function isLocked(folder: StateFolder, key: ShareKey): Promise<boolean> {
  return isAlive(lockPath(folder, key));
}

export function lockName({ network, token }: ShareKey): string {
  return `${digest([...network, token])}.host`;
}

/** Short, so that a socket path stays under its limit; ids of networks are no file names. */
export function digest(parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 24);
}

function lockPath(folder: StateFolder, key: ShareKey): string {
  return join(folder.run, lockName(key));
}
