// The local overlay: shares between programs of one user on one machine, over Unix sockets in the state folder. Who can
// open the folder is the owner; nothing listens on a network address.

import { OverlayError } from '../errors.ts';
import { type StateFolder, stateFolder } from '../home.ts';
import type { Listener, ListenOptions, Overlay, ShareInfo } from '../overlay.ts';
import type { ProofSettings } from '../proof/settings.ts';
import { checkShareToken, randomShareToken } from '../share-token.ts';
import { bindSocket } from './bind-socket.ts';
import { dialLocal } from './dial.ts';
import { hostShare } from './host.ts';
import { goesWithHost, inUse, neverMade, notHosted, taken, unknown } from './refusals.ts';
import { addEntry, readEntry, removeEntry, socketOf, sweptEntries, sweptEntry } from './registry.ts';
import { onSocketSign } from './sign.ts';

export interface LocalOverlayOptions {
  /** Default: this process's. MCP_OVERLAY_HOME and HOME are read. */
  readonly env?: NodeJS.ProcessEnv;
  readonly log?: LocalLog;
  /** Stands in for the user's home. */
  readonly homeDir?: string;
  /** Absent: whoever reaches a share is the folder's user, and proves nothing. */
  readonly proofs?: ProofSettings | undefined;
}

export interface LocalLog {
  debug(fields: object, event: string): void;
  warn?(fields: object, event: string): void;
}

export function createLocalOverlay(options: LocalOverlayOptions = {}): Overlay {
  const { env = process.env, log, homeDir, proofs } = options;
  const listeners = new Set<Listener>();
  let closed = false;
  const open = async (): Promise<StateFolder> => {
    if (closed) throw new OverlayError('overlay_unavailable', 'this overlay was closed');
    return stateFolder(env, homeDir);
  };

  const host = async (
    folder: StateFolder,
    token: string,
    options: ListenOptions,
    entry: { check(): Promise<void>; remove?(): Promise<void> },
  ): Promise<Listener> => {
    const hosted = await hostShare(token, socketOf(folder, token), { ...options, log });
    let over: Promise<void> | undefined;
    const close = async (): Promise<void> => {
      listeners.delete(listener);
      await (entry.remove?.() ?? Promise.resolve()).finally(() => hosted.close());
    };
    const listener: Listener = {
      share: token,
      yield: () => {
        if (entry.remove) throw goesWithHost(token);
        return hosted.yield();
      },
      close: () => {
        over ??= close();
        return over;
      },
    };
    listeners.add(listener);
    try {
      await entry.check();
      // Meanwhile `close` may have come and gone.
      if (closed) throw new OverlayError('overlay_unavailable', 'this overlay was closed');
      return listener;
    } catch (error) {
      await listener.close();
      throw error;
    }
  };

  const overlay: Overlay = {
    kind: 'local',
    listenEphemeral: async (options) => {
      const folder = await open();
      await sweptEntries(folder);
      const token = randomShareToken();
      // The socket comes before the entry and goes after it: an ephemeral entry without a listener is a dead one.
      return host(folder, token, options, {
        check: async () => {
          if (!(await addEntry(folder, { token, persistent: false, createdAt: new Date() }))) throw taken(token);
        },
        remove: () => removeEntry(folder, token),
      });
    },
    listen: async (token, options) => {
      checkShareToken(token);
      const folder = await open();
      const entry = (await sweptEntries(folder)).find((found) => found.token === token);
      if (!entry) throw neverMade(token);
      return host(folder, token, options, {
        check: async () => {
          // It may have been deleted before we had the socket; from now on it cannot.
          if (!(await readEntry(folder, token))) throw neverMade(token);
        },
      });
    },
    dial: async (token, options) => {
      checkShareToken(token);
      const folder = await open();
      return dialLocal(token, socketOf(folder, token), {
        ...options,
        whyNot: async () => ((await readEntry(folder, token)) ? notHosted(token) : unknown(token)),
      });
    },
    createShare: async (name) => {
      if (name !== undefined) checkShareToken(name);
      const folder = await open();
      const token = name ?? randomShareToken();
      await sweptEntry(folder, token);
      const entry = { token, persistent: true, createdAt: new Date() };
      if (!(await addEntry(folder, entry))) throw taken(token);
      return { ...entry, hosted: false };
    },
    deleteShare: async (token) => {
      checkShareToken(token);
      const folder = await open();
      if (!(await sweptEntry(folder, token))) throw unknown(token);
      // Whoever has the socket has the share: while we hold it nobody can begin to host it.
      const bound = await bindSocket(socketOf(folder, token), (socket) => socket.destroy()).catch((error: unknown) => {
        throw error instanceof OverlayError && error.code === 'share_in_use' ? inUse(token, error) : error;
      });
      try {
        if (!(await readEntry(folder, token))) throw unknown(token);
        await removeEntry(folder, token);
      } finally {
        await bound.close();
      }
    },
    listShares: async () => {
      const folder = await open();
      const entries = await sweptEntries(folder);
      return entries.map(({ token, persistent, hosted, createdAt }): ShareInfo => {
        return { token, persistent, hosted, createdAt };
      });
    },
    close: async () => {
      closed = true;
      await Promise.all([...listeners].map((listener) => listener.close()));
    },
  };
  return {
    kind: overlay.kind,
    proofs,
    listenEphemeral: (options) => overlay.listenEphemeral(options).catch(failed),
    listen: (token, options) => overlay.listen(token, options).catch(failed),
    dial: (token, options) => overlay.dial(token, options).catch(failed),
    onSign: (token, tell) =>
      onSocketSign(
        open().then((folder) => socketOf(folder, token)),
        tell,
      ),
    createShare: (name) => overlay.createShare(name).catch(failed),
    deleteShare: (token) => overlay.deleteShare(token).catch(failed),
    listShares: () => overlay.listShares().catch(failed),
    close: () => overlay.close().catch(failed),
  };
}

/** A full disk, too many open files: the system's errors become ours at this border. Faults of ours stay what they are. */
function failed(error: unknown): never {
  const { syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof OverlayError || !(error instanceof Error) || syscall === undefined) throw error;
  throw new OverlayError('overlay_unavailable', `the local overlay failed: ${error.message}`, { cause: error });
}
