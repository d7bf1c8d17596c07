// One modern server for all sessions: the era has none of its own, so one process serves everybody. It is opened for the
// first of them and stays; each gets a transport of its own, on which it sees the server alone.

import { stringifyExact } from '../json-exact.ts';
import { errorMessage } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Fault, Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { Inbox } from '../transports/inbox.ts';
import { paramsOf } from './envelope.ts';
import { CANCELLED } from './methods.ts';
import { ModernCalls } from './modern-calls.ts';

export interface ModernServerOptions {
  readonly limits: Pick<Limits, 'hardQueueBytes'>;
  /** A line that was no message and belongs to no call. */
  readonly onStray?: ((fault: Fault) => void) | undefined;
  readonly onOver: () => void;
}

export class ModernServer {
  readonly #transport: Transport;
  readonly #options: ModernServerOptions;
  readonly #calls: ModernCalls;
  readonly #clients = new Set<ModernClient>();
  #over = false;

  constructor(transport: Transport, options: ModernServerOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#calls = new ModernCalls((message) => void transport.send(message));
    transport.start({
      message: (message) => this.#calls.fromServer(message),
      fault: (fault) => {
        if (!this.#calls.fromServerFault(fault)) options.onStray?.(fault);
      },
      closed: (reason) => {
        this.#over = true;
        options.onOver();
        for (const client of this.#clients) client.lost(reason);
      },
    });
  }

  attach(): Transport {
    if (this.#over) throw new Error('the server has just ended');
    const client = new ModernClient({
      calls: this.#calls,
      server: this.#transport,
      hardQueueBytes: this.#options.limits.hardQueueBytes,
      onClosed: () => this.#clients.delete(client),
    });
    this.#clients.add(client);
    return client;
  }

  close(reason: CloseReason): Promise<void> {
    return this.#transport.close(reason);
  }
}

interface ModernClientOptions {
  readonly calls: ModernCalls;
  readonly server: Transport;
  /** A client that takes so little is given up: the others must not wait for it. */
  readonly hardQueueBytes: number;
  readonly onClosed: () => void;
}

class ModernClient implements Transport {
  readonly #options: ModernClientOptions;
  readonly #inbox = new Inbox();
  /** The client's id -> ours. */
  readonly #open = new Map<string, string>();
  #closing: Promise<void> | undefined;

  constructor(options: ModernClientOptions) {
    this.#options = options;
  }

  start(handlers: TransportHandlers): void {
    this.#inbox.start(handlers);
  }

  send(message: Message): boolean {
    if (this.#closing !== undefined) return true;
    if (message.kind === 'request') this.#forward(message, message.id ?? 'null');
    else if (message.method === CANCELLED) this.#cancelled(message);
    else if (message.kind === 'notification') return this.#options.server.send(message);
    return true;
  }

  drained(): Promise<void> {
    return this.#options.server.drained();
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#leave(reason, true);
    return this.#closing;
  }

  /** The server ended. */
  lost({ notRun = [], ...reason }: CloseReason): void {
    const ours = [...this.#open].filter(([, own]) => notRun.includes(own)).map(([id]) => id);
    this.#closing ??= this.#leave({ ...reason, notRun: ours }, false);
  }

  #forward(message: Message, id: string): void {
    if (this.#open.has(id)) {
      this.#inbox.pushSoon(errorMessage(id, 'invalid_request', `request id ${id} is already in use`));
      return;
    }
    const own = this.#options.calls.forward(message, {
      client: this,
      notification: (notification) => this.#deliver(notification),
      answer: (answer) => {
        this.#open.delete(id);
        this.#deliver(answer);
      },
      fault: (fault) => {
        this.#open.delete(id);
        this.#deliver(fault);
      },
    });
    this.#open.set(id, own);
  }

  #cancelled(message: Message): void {
    const { requestId = null, reason } = paramsOf(message);
    const id = stringifyExact(requestId);
    const own = this.#open.get(id);
    this.#open.delete(id);
    if (own !== undefined) this.#options.calls.cancel(own, String(reason ?? 'the client cancelled'));
  }

  #deliver(item: Message | Fault): void {
    this.#inbox.push(item);
    if (this.#inbox.waitingBytes <= this.#options.hardQueueBytes) return;
    this.#closing ??= this.#leave({ code: 'queue_full', reason: 'the client took too little of what was sent' }, false);
  }

  async #leave(reason: CloseReason, byOwner: boolean): Promise<void> {
    this.#options.onClosed();
    for (const own of this.#open.values()) this.#options.calls.cancel(own, 'the client is gone');
    this.#open.clear();
    this.#inbox.close(reason, { drop: byOwner });
  }
}
