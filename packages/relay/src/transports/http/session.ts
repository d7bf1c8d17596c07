// What the HTTP sessions have in common: messages come in by an inbox, leave by the responses of an outflow, and the
// session ends once, told to its server, to its owner and to whoever waits on a response, in this order.

import type { Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../../transport.ts';
import { Inbox } from './inbox.ts';
import { Outflow } from './outflow.ts';

/** transport.ts: what is queued goes out within this. */
const FLUSH_MS = 1000;

export abstract class HttpSession implements Transport {
  protected readonly inbox = new Inbox();
  protected readonly outflow: Outflow;
  protected ended = false;
  #ending: Promise<void> | undefined;

  constructor(limits: Limits, onOutflow?: () => void) {
    this.outflow = new Outflow(limits, onOutflow);
  }

  /** Resolves when the owner takes messages: until then a body is left unread. */
  ready(): Promise<void> {
    return this.inbox.ready();
  }

  start(handlers: TransportHandlers): void {
    this.inbox.start(handlers);
  }

  abstract send(message: Message): boolean;

  drained(): Promise<void> {
    return this.outflow.drained();
  }

  pause(): void {
    this.inbox.pause();
  }

  resume(): void {
    this.inbox.resume();
  }

  /** The client's side ends it: DELETE, a closed stream, idle for too long, or the door closes. */
  end(reason: CloseReason): Promise<void> {
    return this.#end(reason, false);
  }

  close(reason: CloseReason = DONE): Promise<void> {
    return this.#end(reason, true);
  }

  /** Called once: the server forgets the session, open calls are answered, streams ended. */
  protected abstract finish(reason: CloseReason): void;

  /** For `send`: what may still be queued; a client that takes too little loses the session. */
  protected flow(): boolean {
    if (this.outflow.overfull) {
      const reason = 'the client took too little of what was sent to it';
      queueMicrotask(() => void this.end({ code: 'queue_full', reason }));
    }
    return this.outflow.clear;
  }

  #end(reason: CloseReason, byOwner: boolean): Promise<void> {
    if (this.#ending !== undefined) return this.#ending;
    this.ended = true;
    this.finish(reason);
    this.inbox.close(reason, { drop: byOwner });
    this.#ending = this.outflow.end(FLUSH_MS);
    return this.#ending;
  }
}
