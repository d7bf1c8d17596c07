// The end-to-end encryption of one connection: our stream, the peer's stream once its header is here, and the binding of both.
// One frame is one message. The first frame of each direction is the header alone (openziti/sdk-golang conn_base.go).
// Invariant: nothing of the peer is passed on that its key did not seal, in order; after a failure nothing at all.

import { type Role, sessionKeys } from '../crypto/key-exchange.ts';
import { PullStream, PushStream } from '../crypto/secret-stream.ts';
import type { KeyPair, SessionKeys, Sodium } from '../crypto/sodium.ts';
import { ZitiError } from '../errors.ts';
import { bindingOf } from './binding.ts';

export interface SealingOptions {
  readonly sodium: Sodium;
  readonly role: Role;
  readonly own: KeyPair;
  readonly peerPublicKey: Uint8Array;
  readonly service: string;
}

export class Sealing {
  /** Our first frame. */
  readonly header: Uint8Array;
  readonly #options: SealingOptions;
  readonly #push: PushStream;
  /** Until the peer's header came; it is not kept longer than needed. */
  #keys: SessionKeys | undefined;
  #pull: PullStream | undefined;
  #binding: Uint8Array | undefined;

  /** Throws `crypto_key_invalid`. */
  constructor(options: SealingOptions) {
    const { sodium, role, own, peerPublicKey } = options;
    this.#options = options;
    this.#keys = sessionKeys(sodium, role, own, peerPublicKey);
    this.#push = new PushStream(sodium, this.#keys.tx);
    this.header = this.#push.header;
  }

  /** 32 bytes that only this connection has; undefined before the peer's header. */
  get binding(): Uint8Array | undefined {
    return this.#binding;
  }

  seal(plain: Uint8Array): Uint8Array {
    return this.#push.push(plain);
  }

  /** The plaintext of a frame; undefined for the first one. Throws `crypto_…`. */
  open(frame: Uint8Array): Buffer | undefined {
    if (this.#pull) return this.#pull.pull(frame);
    if (!this.#keys) throw new ZitiError('crypto_stream_closed', 'the encrypted stream is over');
    const { role, own, peerPublicKey, service, sodium } = this.#options;
    this.#pull = new PullStream(sodium, this.#keys.rx, frame);
    const us = { publicKey: own.publicKey, key: this.#keys.tx, header: this.header };
    const peer = { publicKey: peerPublicKey, key: this.#keys.rx, header: frame };
    this.#binding = role === 'dialer' ? bindingOf(us, peer, service) : bindingOf(peer, us, service);
    this.#keys = undefined;
    return undefined;
  }

  /** Gives the memory of both streams back. Idempotent. */
  dispose(): void {
    this.#push.dispose();
    this.#pull?.dispose();
    this.#keys = undefined;
  }
}
