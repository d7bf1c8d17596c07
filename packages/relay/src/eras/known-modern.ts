// A way of its own to a server that is known to be a modern one, so it is not asked again. Should another stand there by
// now, its answer to the client's own `server/discover` says so: then what was known is forgotten, and the session lost,
// to be opened anew.

import type { Message } from '../message.ts';
import type { CloseReason, Transport, TransportHandlers } from '../transport.ts';
import { DISCOVER } from './methods.ts';
import { refusesDiscover } from './probe.ts';

export interface KnownModernOptions {
  readonly server: Transport;
  onWrong(): void;
}

export class KnownModern implements Transport {
  readonly #options: KnownModernOptions;
  readonly #server: Transport;
  /** Ids of the first question that is open. */
  #asked: string | undefined;
  #sure = false;
  #wrong = false;

  constructor(options: KnownModernOptions) {
    this.#options = options;
    this.#server = options.server;
  }

  start(handlers: TransportHandlers): void {
    this.#server.start({
      message: (message) => {
        if (!this.#judge(message)) handlers.message(message);
      },
      fault: (fault) => handlers.fault(fault),
      closed: (reason) => handlers.closed(this.#wrong ? LOST : reason),
    });
  }

  send(message: Message): boolean {
    if (!this.#sure && message.method === DISCOVER) this.#asked ??= message.id;
    return this.#server.send(message);
  }

  drained(): Promise<void> {
    return this.#server.drained();
  }

  pause(): void {
    this.#server.pause();
  }

  resume(): void {
    this.#server.resume();
  }

  close(reason?: CloseReason): Promise<void> {
    return this.#server.close(reason);
  }

  /** true: it is not what was known. */
  #judge(message: Message): boolean {
    if (this.#sure || this.#wrong || this.#asked === undefined || message.id !== this.#asked) return this.#wrong;
    if (message.kind !== 'response') return false;
    this.#wrong = refusesDiscover(message);
    this.#sure = !this.#wrong;
    if (!this.#wrong) return false;
    this.#options.onWrong();
    void this.#server.close(LOST);
    return true;
  }
}

const LOST: CloseReason = { code: 'session_lost', reason: 'the server does not speak the modern era any more' };
