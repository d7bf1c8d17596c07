// A circuit and its two ends. An end is one connection id on one channel; what arrives for one leaves at the other, renumbered.
// Between two routers lies a link that has no fault of its own.

import type { ServiceSession } from '../state/records.ts';
import type { RouterChannel } from './channel.ts';
import type { Frame } from './frame.ts';
import { H, type HeaderValue, T } from './wire.ts';

/** A router queues this many messages of a connection before it stops reading its channel (NewMsgQueue(4)). */
const PENDING_FRAMES = 4;

export class End {
  readonly channel: RouterChannel;
  readonly connId: number;
  /** The dialer's session, once it is known; never at the host's end. */
  session: ServiceSession | undefined;
  /** Undefined until the circuit is there. */
  #peer: End | undefined;
  #onClose: (() => void) | undefined;
  #pending: Frame[] = [];
  #release: (() => void) | undefined;
  #open = true;

  constructor(channel: RouterChannel, connId: number) {
    this.channel = channel;
    this.connId = connId;
    channel.ends.set(connId, this);
  }

  get open(): boolean {
    return this.#open;
  }

  get peer(): End | undefined {
    return this.#peer;
  }

  /** Joins two ends; what waits at them flows. `onClose` is called once. */
  static join(one: End, other: End, onClose: () => void): void {
    one.#peer = other;
    other.#peer = one;
    let told = false;
    const tell = (): void => {
      if (!told) onClose();
      told = true;
    };
    one.#onClose = tell;
    other.#onClose = tell;
    one.#flow();
    other.#flow();
  }

  /** A Data or StateClosed frame of this end's client. */
  receive(frame: Frame): void {
    if (!this.#open) return;
    if (this.#peer) {
      this.#forward(frame);
      return;
    }
    this.#pending.push(frame);
    if (this.#pending.length >= PENDING_FRAMES) this.#release ??= this.channel.block();
  }

  /** As if it had never been: a dial that came to nothing. */
  forget(): void {
    this.#peer = undefined;
    this.#onClose = undefined;
    this.drop();
  }

  /** Without a word to this end's client; the other end is told. */
  drop(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#pending = [];
    this.#release?.();
    if (this.channel.ends.get(this.connId) === this) this.channel.ends.delete(this.connId);
    this.#peer?.close('close called');
    this.#onClose?.();
  }

  /** This end's client is told, and the other end. */
  close(text: string): void {
    if (!this.#open) return;
    const { channel, connId } = this;
    this.drop();
    channel.send(T.stateClosed, { [H.connId]: connId, [H.seq]: 1 }, text);
  }

  #flow(): void {
    this.#release?.();
    for (const frame of this.#pending.splice(0)) if (this.#open) this.#forward(frame);
  }

  #forward(frame: Frame): void {
    if (frame.type === T.stateClosed) {
      this.drop();
      return;
    }
    const peer = this.#peer as End;
    const headers = new Map<number, HeaderValue>([[H.connId, peer.connId]]);
    for (const key of [H.flags, H.reflected]) {
      const value = frame.headers.get(key);
      if (value) headers.set(key, value);
    }
    peer.channel.send(T.data, headers, frame.body);
    this.channel.blockWhileFull(peer.channel);
  }
}
