// One client's seat at a server that several clients use: a Transport that whoever serves the client sees as the server
// alone. What all seats have in common; which requests go how is told by the two kinds, ./shared/client.ts (a legacy server
// that is shared on purpose) and ./eras/modern-server.ts (a modern one, which has no sessions).

import { stringifyExact } from './json-exact.ts';
import { parseMessage } from './json-rpc.ts';
import type { Fault, Message } from './message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from './transport.ts';
import { Inbox } from './transports/inbox.ts';

export interface SeatOptions {
  readonly server: Transport;
  /** The requests of all seats, by numbers of their own. */
  readonly calls: { cancel(own: string, reason: string): void };
  /** A client that takes so little is given up: the others must not wait for it. */
  readonly hardQueueBytes: number;
  readonly onClosed: () => void;
}

export abstract class Seat implements Transport {
  protected readonly inbox = new Inbox();
  readonly #options: SeatOptions;
  /** The client's id -> ours. */
  readonly #open = new Map<string, string>();
  #closing: Promise<void> | undefined;

  constructor(options: SeatOptions) {
    this.#options = options;
  }

  start(handlers: TransportHandlers): void {
    this.inbox.start(handlers);
  }

  send(message: Message): boolean {
    if (this.ended) return true;
    if (message.kind === 'request') this.request(message, message.id ?? 'null');
    else if (message.method === 'notifications/cancelled') this.#cancelled(message);
    else if (message.kind === 'notification' && this.passes(message)) return this.#options.server.send(message);
    return true;
  }

  drained(): Promise<void> {
    return this.#options.server.drained();
  }

  pause(): void {
    this.inbox.pause();
  }

  resume(): void {
    this.inbox.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#leave(reason, true);
    return this.#closing;
  }

  deliver(item: Message | Fault): void {
    this.inbox.push(item);
    if (this.inbox.waitingBytes <= this.#options.hardQueueBytes) return;
    this.#closing ??= this.#leave({ code: 'queue_full', reason: 'the client took too little of what was sent' }, false);
  }

  /** The server ended. */
  lost({ notRun = [], ...reason }: CloseReason): void {
    const ours = [...this.#open].filter(([, own]) => notRun.includes(own)).map(([id]) => id);
    this.#closing ??= this.#leave({ ...reason, notRun: ours }, false);
  }

  protected get ended(): boolean {
    return this.#closing !== undefined;
  }

  protected abstract request(message: Message, id: string): void;

  /** Whether the server is told of a notification of this client. */
  protected abstract passes(notification: Message): boolean;

  /** The client goes; its requests have been taken back. */
  protected left(): void {}

  protected isOpen(id: string): boolean {
    return this.#open.has(id);
  }

  /** Its request is open at the server, under our number. */
  protected opened(id: string, own: string): void {
    this.#open.set(id, own);
  }

  /** What answers it, or stands for the answer. */
  protected settled(id: string, item: Message | Fault): void {
    this.#open.delete(id);
    this.deliver(item);
  }

  #cancelled(message: Message): void {
    const { params } = parseMessage(message) as { params?: { requestId?: unknown; reason?: unknown } };
    const id = stringifyExact(params?.requestId ?? null);
    const own = this.#open.get(id);
    this.#open.delete(id);
    if (own !== undefined) this.#options.calls.cancel(own, String(params?.reason ?? 'the client cancelled'));
  }

  async #leave(reason: CloseReason, byOwner: boolean): Promise<void> {
    this.#options.onClosed();
    for (const own of this.#open.values()) this.#options.calls.cancel(own, 'the client is gone');
    this.#open.clear();
    this.left();
    this.inbox.close(reason, { drop: byOwner });
  }
}
