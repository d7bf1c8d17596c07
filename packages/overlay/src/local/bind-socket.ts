// Listens on a Unix socket under a name: for shares, the admin socket and doors. What a dead process left behind is taken
// over at once; of several that try at the same time exactly one gets it (./claims.ts). The name is a link to the socket.

import { stat, unlink } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { OverlayError } from '../errors.ts';
import type { Yielding } from '../overlay.ts';
import { announce, type Claim, rivals } from './claims.ts';
import { isAlive } from './connect-socket.ts';

export interface BoundSocket {
  readonly path: string;
  /** Agrees that another process takes the name (`takeOver`). Connections made to us meanwhile are ours. */
  yield(): Yielding;
  /** Stops listening and removes the files; open connections live on. Idempotent. */
  close(): Promise<void>;
}

export interface BindOptions {
  /** Default false: a connection ends with its peer's end. */
  readonly allowHalfOpen?: boolean;
  /** Told when the name no longer leads here though nobody closed it, for example because its folder was removed. */
  readonly onLost?: (error: OverlayError) => void;
  /** How often that is looked at. */
  readonly watchMs?: number;
  /** A living process has the name and has agreed to lose it. */
  readonly takeOver?: boolean;
}

/** A rival that has not won after this many looks is frozen; it may still wake up and win. */
const MAX_LOOKS = 200;
const LOOK_MS = 10;
const WATCH_MS = 15_000;
/** Who read the link before it led elsewhere connects within this. */
const LINGER_MS = 500;

/** Rejects `share_in_use` when a living process has the name, or a file; `state_folder_unsafe` when its folder is no good. */
export async function bindSocket(
  path: string,
  onSocket: (socket: Socket) => void,
  options: BindOptions = {},
): Promise<BoundSocket> {
  let won = options.takeOver === true;
  const onConnection = (socket: Socket): void => {
    // Rivals connect to see whether we live, and are gone before they are answered: no reason for anybody to die.
    socket.on('error', () => {});
    if (won) onSocket(socket);
    else socket.destroy();
  };
  const halfOpen = options.allowHalfOpen ?? false;
  const claim =
    (options.takeOver === true ? await succeed(path, onConnection, halfOpen) : undefined) ??
    (await contend(path, onConnection, halfOpen));
  won = true;
  let stopWatching = watch(path, claim, options);
  let yielded = false;
  return {
    path,
    yield: () => {
      stopWatching();
      yielded = true;
      return {
        takeBack: async () => {
          if (!yielded) return;
          yielded = false;
          if (!(await claim.isPublished())) await claim.publish();
          stopWatching = watch(path, claim, options);
        },
      };
    },
    close: async () => {
      stopWatching();
      if (yielded && !(await claim.isPublished())) await pause(LINGER_MS);
      await claim.withdraw();
    },
  };
}

/**
 * Takes the name from a living process that agreed to it; undefined when that one is gone. Our claim is announced before,
 * and stays: whoever finds the name dead from here on finds us, and steps back.
 */
async function succeed(
  path: string,
  onSocket: (socket: Socket) => void,
  halfOpen: boolean,
): Promise<Claim | undefined> {
  const claim = await announce(path, onSocket, halfOpen).catch((error: unknown) => {
    throw unusable(path, error);
  });
  if (await isAlive(path)) {
    await claim.publish();
    return claim;
  }
  await claim.withdraw();
  return undefined;
}

/** Removes what dead processes left under this name; only for names that nobody will bind again. */
export async function sweepSocket(path: string): Promise<void> {
  if ((await rivals(path)).length > 0 || (await isAlive(path))) return;
  await unlink(path).catch(() => {});
}

async function contend(path: string, onSocket: (socket: Socket) => void, halfOpen: boolean): Promise<Claim> {
  let claim: Claim | undefined;
  try {
    for (let look = 0; look < MAX_LOOKS; look += 1) {
      await refuseOther(path);
      if (await isAlive(path)) break;
      const others = await rivals(path, claim?.id);
      if (others.length === 0) {
        if (claim) {
          await claim.publish();
          return claim;
        }
        // The look that decides comes after the announcement.
        claim = await announce(path, onSocket, halfOpen);
        continue;
      }
      // All but one step back, so that the contest ends; who stays is only a matter of speed, never of safety.
      if (claim && others.some((id) => id < (claim?.id ?? ''))) {
        await claim.withdraw();
        claim = undefined;
      }
      await pause(LOOK_MS * (0.5 + Math.random()));
    }
  } catch (error) {
    await claim?.withdraw();
    throw unusable(path, error);
  }
  await claim?.withdraw();
  throw new OverlayError('share_in_use', `${path} is in use by a running program`, {
    hint: 'end that program, or choose another name',
  });
}

function unusable(path: string, error: unknown): unknown {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (!['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS'].includes(code)) return error;
  return new OverlayError('state_folder_unsafe', `no socket can be made at ${path}: ${message}`, {
    hint: 'its folder must exist, and this user must be able to write there',
    cause: error,
  });
}

/** A name may hold a socket, a link to one or a dead link; anything else is somebody's file, not ours to replace. */
async function refuseOther(path: string): Promise<void> {
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ELOOP') return undefined;
    throw error;
  });
  if (stats === undefined || stats.isSocket()) return;
  throw new OverlayError('share_in_use', `${path} exists and is not a socket`, {
    hint: 'move it away, or choose another path',
  });
}

function watch(path: string, claim: Claim, { onLost, watchMs = WATCH_MS }: BindOptions): () => void {
  if (!onLost) return () => {};
  let stopped = false;
  const timer = setInterval(() => void look(), watchMs);
  const stop = (): void => {
    stopped = true;
    clearInterval(timer);
  };
  const look = async (): Promise<void> => {
    if ((await claim.isPublished()) || stopped) return;
    stop();
    await claim.withdraw().catch(() => {});
    onLost(new OverlayError('share_not_hosted', `${path} was removed while this program listened there`));
  };
  timer.unref();
  return stop;
}
