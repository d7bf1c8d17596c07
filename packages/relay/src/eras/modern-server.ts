// One modern server for all sessions: the era has none of its own, so one process serves everybody. It is opened for the
// first of them and stays; each gets a transport of its own, on which it sees the server alone.

import { errorMessage } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Fault, Message } from '../message.ts';
import { Seat, type SeatOptions } from '../seat.ts';
import type { CloseReason, Transport } from '../transport.ts';
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

class ModernClient extends Seat {
  readonly #calls: ModernCalls;

  constructor(options: SeatOptions & { readonly calls: ModernCalls }) {
    super(options);
    this.#calls = options.calls;
  }

  protected override request(message: Message, id: string): void {
    if (this.isOpen(id)) {
      this.inbox.pushSoon(errorMessage(id, 'invalid_request', `request id ${id} is already in use`));
      return;
    }
    const own = this.#calls.forward(message, {
      client: this,
      notification: (notification) => this.deliver(notification),
      answer: (answer) => this.settled(id, answer),
      fault: (fault) => this.settled(id, fault),
    });
    this.opened(id, own);
  }

  protected override passes(): boolean {
    return true;
  }
}
