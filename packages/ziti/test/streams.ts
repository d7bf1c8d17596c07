// What tests of connections need: everything that arrives, and how it ended.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { ZitiError, type ZitiErrorCode } from '../src/errors.ts';

/** Everything until the end; rejects with the stream's error. Not `for await`, which destroys a Duplex at its end. */
export async function everything(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await untilEnd(stream, (chunk) => chunks.push(chunk));
  return Buffer.concat(chunks);
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

function untilEnd(stream: Duplex, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('data', take).once('end', resolve).once('error', reject);
    stream.once('close', () => reject(stream.errored ?? new Error('closed without an end or an error')));
  });
}

/** Random bytes of uneven sizes, so that a lost or moved piece shows; ends the stream. */
export async function pour(stream: Duplex, total: number): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const pool = randomBytes(1024 * 1024);
  for (let sent = 0; sent < total; ) {
    const start = sent % 4093;
    const size = Math.min(pool.length - start, total - sent, 1 + ((sent * 7) % 200_000));
    const chunk = pool.subarray(start, start + size);
    hash.update(chunk);
    sent += chunk.length;
    if (!stream.write(chunk)) await once(stream, 'drain');
  }
  stream.end();
  return { bytes: total, sha256: hash.digest('hex') };
}

/** Settles when the stream is over, with the error it ended by. */
export function over(stream: Duplex): Promise<Error | undefined> {
  return new Promise((resolve) => {
    if (stream.closed) resolve(stream.errored ?? undefined);
    else stream.once('close', () => resolve(stream.errored ?? undefined));
  });
}

/** For assert.rejects, and for errors at hand. */
export function coded(...codes: ZitiErrorCode[]): (error: unknown) => boolean {
  return (error) => error instanceof ZitiError && codes.includes(error.code);
}
