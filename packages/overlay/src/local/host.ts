// The host's end of a share: its socket, and each connection from the hello to the share's owner. One that is silent,
// frozen or broken during its hello holds up no other.

import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { OverlayError } from '../errors.ts';
import type { ListenOptions } from '../overlay.ts';
import { type BoundSocket, bindSocket } from './bind-socket.ts';
import { asConnection } from './connection.ts';
import type { LocalLog } from './driver.ts';
import { greetDialer } from './hello.ts';
import { inUse } from './refusals.ts';

/** A dialer on this machine says its hello at once; one that was frozen meanwhile dials again. */
export const HELLO_MS = 10_000;

export interface HostOptions extends ListenOptions {
  readonly log?: LocalLog | undefined;
  readonly helloMs?: number;
  readonly watchMs?: number;
}

/** Rejects `share_in_use`. */
export async function hostShare(share: string, path: string, options: HostOptions): Promise<BoundSocket> {
  const { onConnection, onLost, log, helloMs: timeoutMs = HELLO_MS, watchMs, takeOver = false } = options;
  const over = new AbortController();
  // Each hello on its way listens to it; Node warns of more than ten.
  setMaxListeners(0, over.signal);
  const accept = async (socket: Socket): Promise<void> => {
    const connection = asConnection(socket, share);
    const greeted = await greetDialer(socket, share, { timeoutMs, signal: over.signal });
    if (!greeted) {
      log?.debug({ share }, 'connection ended before its first bytes');
      return;
    }
    if (over.signal.aborted) {
      socket.destroy();
      return;
    }
    onConnection(connection(greeted.binding));
  };
  const lost = (cause: Error): void => {
    onLost?.(
      new OverlayError('share_not_hosted', `share ${share} cannot be dialled any more: its socket was removed`, {
        hint: 'start this program again, and let nobody empty the state folder meanwhile',
        cause,
      }),
    );
  };
  const bound = await bindSocket(path, (socket) => void accept(socket), {
    allowHalfOpen: true,
    takeOver,
    onLost: lost,
    ...(watchMs === undefined ? {} : { watchMs }),
  }).catch((error: unknown) => {
    throw error instanceof OverlayError && error.code === 'share_in_use' ? inUse(share, error) : error;
  });
  let yielded = false;
  return {
    path,
    yield: () => {
      yielded = true;
      return bound.yield();
    },
    close: async () => {
      // Who finds us last of all is told where we are by whoever is behind us.
      if (!yielded) over.abort();
      await bound.close();
      over.abort();
    },
  };
}
