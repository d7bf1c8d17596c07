// Two Transports joined in memory: what one sends the other gets, later and in order. For tests of whatever lives above
// a Transport. The knobs make the other end slow, break the pair, or let a broken line arrive.

import type { Fault, Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';

export interface LinkedOptions {
  /** Messages waiting for the peer before `send` answers false. Default: no end of them. */
  readonly mark?: number;
}

export interface LinkedTransport extends Transport {
  /** All that was sent from here, delivered or not. */
  readonly sent: readonly Message[];
  /** Lets a skipped line arrive here, in order. */
  injectFault(fault: Fault): void;
  /** The connection breaks: both ends are closed with this reason; what was on the way is lost. */
  break(reason?: CloseReason): void;
}

const BROKEN: CloseReason = { code: 'connection_lost', reason: 'the connection to the peer broke' };

export function linkedTransports(options: LinkedOptions = {}): [LinkedTransport, LinkedTransport] {
  const left = new Linked(options);
  const right = new Linked(options);
  left.join(right);
  right.join(left);
  return [left, right];
}

class Linked implements LinkedTransport {
  readonly sent: Message[] = [];
  readonly #mark: number;
  #peer: Linked | undefined;
  #handlers: TransportHandlers | undefined;
  /** On the way to us. */
  #inbox: (Message | Fault)[] = [];
  #paused = false;
  #scheduled = false;
  /** Set when we are to close after the inbox is empty, or at once. */
  #closing: CloseReason | undefined;
  #told = false;
  #released: (() => void)[] = [];
  #drained: (() => void)[] = [];

  constructor({ mark = Number.POSITIVE_INFINITY }: LinkedOptions) {
    this.#mark = mark;
  }

  join(peer: Linked): void {
    this.#peer = peer;
  }

  start(handlers: TransportHandlers): void {
    if (this.#handlers !== undefined) throw new TypeError('a transport is started once');
    this.#handlers = handlers;
    this.#schedule();
  }

  send(message: Message): boolean {
    if (this.#closing !== undefined || this.#peer === undefined) return true;
    this.sent.push(message);
    this.#peer.#receive(message);
    return this.#peer.#inbox.length < this.#mark;
  }

  drained(): Promise<void> {
    const peer = this.#peer;
    if (this.#closing !== undefined || peer === undefined || peer.#inbox.length < this.#mark) return Promise.resolve();
    return new Promise((resolve) => peer.#drained.push(resolve));
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    // Our own end hears no more; the peer's end still gets what was sent before.
    if (this.#closing === undefined) {
      this.#inbox = [];
      this.#end(reason);
      if (this.#peer !== undefined) this.#peer.#end(reason);
    }
    if (this.#told) return Promise.resolve();
    return new Promise((resolve) => this.#released.push(resolve));
  }

  injectFault(fault: Fault): void {
    this.#receive(fault);
  }

  break(reason: CloseReason = BROKEN): void {
    for (const end of [this, this.#peer]) {
      if (end === undefined) continue;
      end.#inbox = [];
      end.#end(reason);
    }
  }

  #receive(read: Message | Fault): void {
    if (this.#closing !== undefined) return;
    this.#inbox.push(read);
    this.#schedule();
  }

  #end(reason: CloseReason): void {
    this.#closing ??= reason;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#told) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (!this.#paused && this.#handlers !== undefined) {
      const read = this.#inbox.shift();
      if (read === undefined) break;
      if ('code' in read) this.#handlers.fault(read);
      else this.#handlers.message(read);
    }
    if (this.#inbox.length < this.#mark || this.#closing !== undefined)
      for (const wake of this.#drained.splice(0)) wake();
    if (this.#closing === undefined || this.#inbox.length > 0 || this.#told) return;
    for (const wake of this.#released.splice(0)) wake();
    // An end that is started later hears of it then.
    if (this.#handlers === undefined) return;
    this.#told = true;
    this.#handlers.closed(this.#closing);
  }
}
