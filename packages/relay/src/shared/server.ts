// One server for all clients, as `--shared` and `shared: true` ask for: it is opened for the first of them and stays. Each
// client gets a transport of its own (./client.ts); what a server says to all of its clients is told to those it concerns.
// Invariant: what cannot be said whose it is (log lines, questions, tasks) reaches no client.

import { parseMessage } from '../json-rpc.ts';
import type { Limits } from '../limits.ts';
import type { Fault, Message } from '../message.ts';
import { LIST_KINDS } from '../methods.ts';
import { type CloseReason, DONE, type Transport } from '../transport.ts';
import { SharedCalls } from './calls.ts';
import { SharedClient } from './client.ts';
import { Subscriptions } from './subscriptions.ts';

export interface SharedServerOptions {
  /** Program and version, told to the server as the client's name. */
  readonly by: string;
  readonly limits: Pick<Limits, 'hardQueueBytes'>;
  open(): Promise<Transport>;
  /** A line that was no message and belongs to no call. */
  readonly onStray?: (fault: Fault) => void;
}

export class SharedServer {
  readonly #options: SharedServerOptions;
  #running: Promise<Running> | undefined;
  #closed = false;

  constructor(options: SharedServerOptions) {
    this.#options = options;
  }

  /** A transport for one more client. Rejects with what `open` rejects with. */
  async attach(): Promise<Transport> {
    if (this.#closed) throw new Error('the server is ending');
    this.#running ??= this.#open();
    return (await this.#running).attach();
  }

  /** A transport that is open already and may become the server, if none runs yet. */
  async keep(transport: Transport): Promise<void> {
    if (this.#running !== undefined || this.#closed) {
      await transport.close({ code: 'away', reason: 'the server runs already' });
      return;
    }
    this.#running = Promise.resolve(this.#run(transport));
  }

  async close(reason: CloseReason = DONE): Promise<void> {
    this.#closed = true;
    await (await this.#running?.catch(() => undefined))?.close(reason);
  }

  async #open(): Promise<Running> {
    try {
      return this.#run(await this.#options.open());
    } catch (error) {
      this.#running = undefined;
      throw error;
    }
  }

  #run(transport: Transport): Running {
    return new Running(transport, this.#options, () => {
      this.#running = undefined;
    });
  }
}

/** One life of the server. */
class Running {
  readonly #transport: Transport;
  readonly #options: SharedServerOptions;
  readonly #calls: SharedCalls;
  readonly #clients = new Set<SharedClient>();
  readonly #subscriptions = new Subscriptions<SharedClient>();
  #over = false;

  constructor(transport: Transport, options: SharedServerOptions, onOver: () => void) {
    this.#transport = transport;
    this.#options = options;
    this.#calls = new SharedCalls({
      by: options.by,
      send: (message) => void transport.send(message),
      onRefused: (reason) => void this.close({ code: 'session_lost', reason }),
    });
    transport.start({
      message: (message) => this.#fromServer(message),
      fault: (fault) => {
        if (!this.#calls.fromServerFault(fault)) options.onStray?.(fault);
      },
      closed: (reason) => {
        this.#over = true;
        onOver();
        for (const client of this.#clients) client.lost(reason);
      },
    });
    this.#calls.greet();
  }

  attach(): Transport {
    if (this.#over) throw new Error('the server has just ended');
    const client = new SharedClient({
      calls: this.#calls,
      server: this.#transport,
      subscriptions: this.#subscriptions,
      hardQueueBytes: this.#options.limits.hardQueueBytes,
      onClosed: () => this.#clients.delete(client),
    });
    this.#clients.add(client);
    return client;
  }

  close(reason: CloseReason): Promise<void> {
    return this.#transport.close(reason);
  }

  #fromServer(message: Message): void {
    if (this.#calls.fromServer(message)) return;
    if (LIST_KINDS.some(({ changed }) => changed === message.method)) {
      for (const client of this.#clients) client.deliver(message);
    } else if (message.method === 'notifications/resources/updated') {
      const { params } = parseMessage(message) as { params?: { uri?: unknown } };
      for (const client of this.#subscriptions.concerned(String(params?.uri))) client.deliver(message);
    }
  }
}
