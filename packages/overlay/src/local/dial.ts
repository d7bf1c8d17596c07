// The dialer's end of a share: finds the host's socket, says the hello, and hands over a connection, in the time given.

import { OverlayError } from '../errors.ts';
import type { Connection, DialOptions } from '../overlay.ts';
import { connectSocket } from './connect-socket.ts';
import { asConnection } from './connection.ts';
import { greetHost } from './hello.ts';

const DIAL_MS = 15_000;

export interface DialLocalOptions extends DialOptions {
  /** Asked when nobody answers: unknown or not hosted. */
  readonly whyNot: () => Promise<OverlayError>;
}

export async function dialLocal(share: string, path: string, options: DialLocalOptions): Promise<Connection> {
  const { signal, timeoutMs = DIAL_MS, whyNot } = options;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(late(share, timeoutMs)), timeoutMs);
  const onAbort = (): void => stop.abort(aborted(share, signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal?.aborted) onAbort();
    const socket = await connectSocket(path, stop.signal);
    if (!socket) throw await whyNot();
    const connection = asConnection(socket, share);
    const greeted = await greetHost(socket, share, stop.signal);
    if (typeof greeted !== 'string' && !stop.signal.aborted) return connection(greeted.binding);
    socket.destroy();
    stop.signal.throwIfAborted();
    throw greeted === 'incompatible' ? incompatible(share) : await whyNot();
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function late(share: string, timeoutMs: number): OverlayError {
  return new OverlayError('dial_timeout', `the host of share ${share} did not answer within ${timeoutMs} ms`, {
    hint: 'its program is alive but stopped or overloaded; look at it, or end it',
  });
}

function aborted(share: string, cause: unknown): OverlayError {
  return new OverlayError('dial_aborted', `dialling share ${share} was given up by its caller`, { cause });
}

function incompatible(share: string): OverlayError {
  return new OverlayError(
    'peer_incompatible',
    `what answers on share ${share} is not an mcp-overlay host we understand`,
    {
      hint: 'another program, or a much older or newer version of ours, listens on its socket',
    },
  );
}
