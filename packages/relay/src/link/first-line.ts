// The beginning of a connection, read before anybody owns it: bounded in bytes and time, and not one byte lost. When a
// reader is content the connection is paused and without our listeners, ready for its next owner.

import type { Duplex } from 'node:stream';
import { RelayError } from '../errors.ts';
import type { Clock } from './clock.ts';

export interface HeadOptions {
  /** Bytes that were read before us. */
  readonly head?: Buffer;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
}

export interface FirstLine {
  /** Without its newline. */
  readonly line: Buffer;
  /** What came behind it. */
  readonly rest: Buffer;
}

const LF = 0x0a;
const NOTHING = Buffer.alloc(0);

/** Reads one line. Rejects `link_timeout`, `connection_lost`, and `link_protocol` for a line over `maxBytes`. */
export function readFirstLine(connection: Duplex, options: HeadOptions & { maxBytes: number }): Promise<FirstLine> {
  const chunks: Buffer[] = [];
  let size = 0;
  return readHead(connection, options, (chunk) => {
    const end = chunk.indexOf(LF);
    chunks.push(end === -1 ? chunk : chunk.subarray(0, end));
    size += end === -1 ? chunk.length : end;
    if (size > options.maxBytes) {
      throw new RelayError('link_protocol', `the first line is longer than ${options.maxBytes} bytes`);
    }
    return end === -1 ? undefined : { line: Buffer.concat(chunks, size), rest: chunk.subarray(end + 1) };
  });
}

/** Feeds chunks to `take` until it returns something or throws; then nothing more is read. */
export function readHead<T>(
  connection: Duplex,
  options: HeadOptions,
  take: (chunk: Buffer) => T | undefined,
): Promise<T> {
  const { head = NOTHING, timeoutMs, clock, signal } = options;
  return new Promise((resolve, reject) => {
    let over = false;
    const stop = (): void => {
      over = true;
      cancel();
      connection.pause();
      connection.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
      signal?.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      stop();
      // An owner may yet write a refusal; errors of a connection nobody listens to must not end the process.
      connection.on('error', () => {});
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      try {
        const taken = take(chunk);
        if (taken === undefined) return;
        stop();
        resolve(taken);
      } catch (error) {
        fail(error);
      }
    };
    const onEnd = (): void =>
      fail(new RelayError('connection_lost', 'the peer closed the connection before its first line'));
    const onError = (cause: Error): void =>
      fail(
        new RelayError('connection_lost', `the connection broke before its first line: ${cause.message}`, { cause }),
      );
    const onTimeout = (): void =>
      fail(new RelayError('link_timeout', `the peer sent no first line within ${timeoutMs} ms`));
    const onAbort = (): void => fail(new RelayError('connection_lost', 'closed while waiting for the first line'));
    const cancel = clock.after(timeoutMs, onTimeout);
    if (signal?.aborted) return onAbort();
    if (connection.destroyed) return onEnd();
    if (head.length > 0) onData(head);
    if (over) return;
    signal?.addEventListener('abort', onAbort, { once: true });
    connection.on('end', onEnd).on('close', onEnd).on('error', onError).on('data', onData).resume();
  });
}
