// Reads one whole HTTP body with a cap and a limit on silence, for requests (server) and responses (client).
// Nothing is kept of a body that is refused.

import type { IncomingMessage } from 'node:http';

export type BodyFailure = 'too_large' | 'idle' | 'cut' | 'busy';

/** Bytes of half-read bodies of one handler: many slow uploads together must not fill the memory. */
export class BodyBudget {
  readonly #maxBytes: number;
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  take(bytes: number): boolean {
    this.#used += bytes;
    return this.#used <= this.#maxBytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

export interface BodyOptions {
  readonly maxBytes: number;
  /** undefined: silence is the owner's business (a client waiting for an answer). */
  readonly idleMs?: number;
  readonly budget?: BodyBudget;
}

/** Resolves with the bytes, freshly allocated, or with why not. After 'too_large' the rest is still unread. */
export function readBody(message: IncomingMessage, options: BodyOptions): Promise<Buffer | BodyFailure> {
  const { maxBytes, idleMs, budget } = options;
  if (Number(message.headers['content-length'] ?? 0) > maxBytes) return Promise.resolve('too_large');
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const idle = idleMs === undefined ? undefined : setTimeout(() => finish('idle'), idleMs);
    const finish = (result: Buffer | BodyFailure): void => {
      clearTimeout(idle);
      budget?.give(bytes);
      message.off('data', onData).off('end', onEnd).off('close', onCut).off('error', onCut);
      // A late error of a message nobody reads any more must not become an uncaught one.
      message.on('error', () => {});
      message.pause();
      resolve(result);
    };
    const onData = (chunk: Buffer): void => {
      idle?.refresh();
      bytes += chunk.length;
      const room = budget?.take(chunk.length) ?? true;
      if (bytes > maxBytes) finish('too_large');
      else if (!room) finish('busy');
      else chunks.push(chunk);
    };
    const onEnd = (): void => finish(Buffer.concat(chunks, bytes));
    const onCut = (): void => finish('cut');
    if (message.destroyed && !message.readableEnded) finish('cut');
    else message.on('data', onData).on('end', onEnd).on('close', onCut).on('error', onCut);
  });
}

/** Reads and forgets what is left of a body, but not for ever: a peer that never ends loses its connection. */
export function discard(message: IncomingMessage, patience: { bytes: number; ms: number }): Promise<boolean> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(() => done(false), patience.ms);
    const done = (whole: boolean): void => {
      clearTimeout(timer);
      message.off('data', onData).off('end', onEnd).off('close', onClose);
      message.on('error', () => {});
      resolve(whole);
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > patience.bytes) done(false);
    };
    const onEnd = (): void => done(true);
    const onClose = (): void => done(message.complete);
    if (message.readableEnded) return done(true);
    if (message.destroyed) return done(false);
    message
      .on('error', () => {})
      .on('data', onData)
      .on('end', onEnd)
      .on('close', onClose);
    message.resume();
  });
}
