// A dial on zrok: access, then OpenZiti, within one time limit. An access of ours can be outlived by its share (removed, or
// removed and made anew): then the controller is asked once more, and knows best.

import { OverlayError } from '../errors.ts';
import type { Connection, DialOptions } from '../overlay.ts';
import type { ZitiNetwork } from '../ziti/network.ts';
import type { Accesses } from './accesses.ts';

export interface Dialling {
  readonly network: ZitiNetwork;
  readonly accesses: Accesses;
}

const DIAL_MS = 15_000;
/** What a dial says when the right to it is gone. */
const NO_RIGHT = new Set(['share_unknown', 'not_permitted']);

export async function dialShare(
  share: string,
  { timeoutMs = DIAL_MS, signal }: DialOptions,
  { network, accesses }: Dialling,
): Promise<Connection> {
  const until = Date.now() + timeoutMs;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(late(share, timeoutMs)), timeoutMs);
  const onAbort = (): void => stop.abort(aborted(share, signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  const dial = (): Promise<Connection> =>
    network.dial(share, { timeoutMs: Math.max(1, until - Date.now()), signal: stop.signal });
  try {
    if (signal?.aborted) onAbort();
    // Both take a while, and neither needs the other. What is wrong with the login the dial will say.
    network.login(stop.signal).catch(() => {});
    const isNew = await accesses.ensure(share, stop.signal);
    try {
      return await dial();
    } catch (error) {
      if (isNew || !(error instanceof OverlayError) || !NO_RIGHT.has(error.code)) throw error;
      accesses.forget(share);
      await accesses.ensure(share, stop.signal);
      return await dial();
    }
  } catch (error) {
    // Who gave up is told so, whatever the layers below made of it.
    throw stop.signal.aborted ? stop.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function late(share: string, timeoutMs: number): OverlayError {
  return new OverlayError('dial_timeout', `no connection to share ${share} within ${timeoutMs} ms`, {
    hint: 'the controller, a router or the host of the share does not answer; a log at debug says which',
  });
}

function aborted(share: string, cause: unknown): OverlayError {
  return new OverlayError('dial_aborted', `dialling share ${share} was given up by its caller`, { cause });
}
