// The two directions of an encrypted connection: crypto_secretstream_xchacha20poly1305, one message for each Data frame, no
// associated data, tag 0 always (openziti/secretstream knows no rekeying). A 24-byte header goes first in each direction.
// Invariant: messages are opened in the order they were sealed, or not at all; after a failure a stream opens nothing more.

import { ZitiError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { SEAL_BYTES, type Sodium, STREAM_HEADER_BYTES } from './sodium.ts';

/** What we send. Seal a message when it is queued: the order of sealing is the order on the wire. */
export class PushStream {
  /** Goes alone in the first Data frame of our direction. */
  readonly header: Uint8Array;
  readonly #sodium: Sodium;
  #state: unknown;
  #left: number;

  constructor(sodium: Sodium, tx: Uint8Array, maxMessages: number = LIMITS.streamMessages) {
    const { state, header } = sodium.initPush(tx);
    this.#sodium = sodium;
    this.#state = state;
    this.header = header;
    this.#left = maxMessages;
  }

  /** `plain.length` + 17 bytes, a buffer of its own. Throws `crypto_stream_closed`, `crypto_stream_exhausted`. */
  push(plain: Uint8Array): Buffer {
    if (this.#state === undefined) throw closed();
    if (this.#left === 0) {
      throw new ZitiError('crypto_stream_exhausted', 'this connection has sent all messages that its key may seal', {
        hint: 'dial again',
      });
    }
    this.#left -= 1;
    return this.#sodium.push(this.#state, plain);
  }

  /** Gives the memory of the state back. Idempotent. */
  dispose(): void {
    if (this.#state !== undefined) this.#sodium.free(this.#state);
    this.#state = undefined;
  }
}

/** What we receive. */
export class PullStream {
  readonly #sodium: Sodium;
  #state: unknown;

  /** `header`: the first Data frame of the peer's direction. Throws `crypto_header_invalid`. */
  constructor(sodium: Sodium, rx: Uint8Array, header: Uint8Array) {
    if (header.length !== STREAM_HEADER_BYTES) {
      throw new ZitiError(
        'crypto_header_invalid',
        `the other end began its encrypted stream with ${header.length} bytes instead of ${STREAM_HEADER_BYTES}`,
      );
    }
    this.#sodium = sodium;
    this.#state = sodium.initPull(header, rx);
  }

  /** The plaintext, a buffer of its own, may be empty. Throws `crypto_message_invalid` (and is disposed then),
   * `crypto_stream_closed`. */
  pull(sealed: Uint8Array): Buffer {
    if (this.#state === undefined) throw closed();
    const plain = sealed.length < SEAL_BYTES ? undefined : this.#sodium.pull(this.#state, sealed);
    if (plain) return plain;
    this.dispose();
    throw new ZitiError(
      'crypto_message_invalid',
      'an encrypted message was changed, lost or repeated on its way, or sealed with another key',
    );
  }

  /** Gives the memory of the state back. Idempotent. */
  dispose(): void {
    if (this.#state !== undefined) this.#sodium.free(this.#state);
    this.#state = undefined;
  }
}

function closed(): ZitiError {
  return new ZitiError('crypto_stream_closed', 'the encrypted stream is over');
}
