// What tests of streams need: two joined connections, and promises for what becomes of them.

import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { OverlayErrorCode } from '../errors.ts';
import { OverlayError } from '../errors.ts';
import type { Connection, Listener, ListenOptions, Overlay } from '../overlay.ts';

export interface Joined extends AsyncDisposable {
  readonly dialer: Connection;
  readonly host: Connection;
  readonly listener: Listener;
}

/** A share with one connection to it; an ephemeral one unless `host` says how else. */
export async function joined(
  hosting: Overlay,
  dialling: Overlay,
  host: (options: ListenOptions) => Promise<Listener> = (options) => hosting.listenEphemeral(options),
): Promise<Joined> {
  let arrived: (connection: Connection) => void = () => {};
  const arrival = new Promise<Connection>((resolve) => {
    arrived = resolve;
  });
  const listener = await host({ onConnection: (connection) => arrived(connection) });
  const dialer = await dialling.dial(listener.share);
  const atHost = await arrival;
  return {
    dialer,
    host: atHost,
    listener,
    [Symbol.asyncDispose]: async () => {
      dialer.destroy();
      atHost.destroy();
      await listener.close();
    },
  };
}

/** Everything until the end; rejects with the stream's error. */
export async function everything(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await untilEnd(stream, (chunk) => chunks.push(chunk));
  return Buffer.concat(chunks);
}

/** The first `size` bytes, and perhaps more. */
export function atLeast(stream: Duplex, size: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    stream.on('data', function onData(chunk: Buffer) {
      seen = Buffer.concat([seen, chunk]);
      if (seen.length < size) return;
      stream.off('data', onData);
      stream.pause();
      resolve(seen);
    });
    stream.once('close', () => reject(new Error(`closed after ${seen.length} of ${size} bytes`)));
  });
}

export async function digest(stream: Duplex): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await untilEnd(stream, (chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  return { bytes, sha256: hash.digest('hex') };
}

/** Not `for await`, which destroys a Duplex when its readable half ends. */
function untilEnd(stream: Duplex, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('data', take).once('end', resolve).once('error', reject);
    stream.once('close', () => reject(new Error('closed without an end or an error')));
  });
}

/** Settles when the stream is over, with the error it ended by. */
export function over(stream: Duplex): Promise<Error | undefined> {
  return new Promise((resolve) => {
    let seen: Error | undefined;
    stream.once('error', (error) => {
      seen = error;
    });
    if (stream.closed) resolve(stream.errored ?? undefined);
    else stream.once('close', () => resolve(seen));
  });
}

/** For assert.rejects: an error of ours with one of these codes. */
export function coded(...codes: OverlayErrorCode[]): (error: unknown) => boolean {
  return (error) => error instanceof OverlayError && codes.includes(error.code);
}
