// A TCP connection, or the reason why there is none. Used for routers and for proxies.

import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { ZitiError, type ZitiErrorCode } from '../errors.ts';
import { awaited } from './awaited.ts';
import { hostPort, type SocketTarget } from './underlay.ts';

/** Of several addresses of a host each gets this long before the next is tried. Node's 250 ms are less than a slow network needs. */
const NEXT_ADDRESS_MS = 2500;
/** First probe of the system after so much silence: finds cut cables below the channel's own probe. */
const KEEP_ALIVE_MS = 15_000;

/** Rejects with `code`, or with the signal's reason. */
export function connectTcp(
  target: SocketTarget,
  options: { readonly signal: AbortSignal | undefined; readonly code: ZitiErrorCode; readonly peer: string },
): Promise<Socket> {
  const { signal, code, peer } = options;
  const socket = connect({
    ...target,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
    autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_MS,
  });
  return awaited(signal, (done, fail) => {
    const onConnect = (): void => done(socket);
    const onError = (cause: Error): void => {
      fail(new ZitiError(code, `${peer} cannot be reached at ${hostPort(target)}: ${reasonOf(cause)}`, { cause }));
    };
    socket.on('connect', onConnect).on('error', onError);
    return (failed) => {
      // An error that comes before the next owner listens is found by its end.
      socket.on('error', ignore).off('connect', onConnect).off('error', onError);
      if (failed) discard(socket);
    };
  });
}

/** Ends it at once; an error that it still has is nobody's. */
export function discard(stream: Duplex): void {
  stream.on('error', ignore);
  stream.destroy();
}

export function ignore(): void {}

/** What the system said, in short. Several addresses fail with an AggregateError, whose own text is empty. */
export function reasonOf(error: Error): string {
  const first = error instanceof AggregateError ? (error.errors[0] as NodeJS.ErrnoException | undefined) : error;
  return (first as NodeJS.ErrnoException | undefined)?.code ?? first?.message ?? 'unknown';
}
