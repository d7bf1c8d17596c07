// A legacy client's way to a server whose era is not known: its own initialize is the question. A server that refuses it
// and is found to be a modern one is translated from then on; any other keeps its answer.

import type { Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';

export interface LegacyFirstOptions {
  readonly server: Transport;
  /** It took initialize: it speaks the legacy era. */
  onLegacy(): void;
  /** The same server for a legacy client, translated; undefined: it is no modern one either. */
  translated(): Promise<Transport | undefined>;
}

export class LegacyFirst implements Transport {
  readonly #options: LegacyFirstOptions;
  #server: Transport;
  #handlers: TransportHandlers | undefined;
  #initialize: Message | undefined;
  /** What the client sends while another way is looked for. */
  #waiting: Message[] | undefined;
  #closed: CloseReason | undefined;
  #paused = false;

  constructor(options: LegacyFirstOptions) {
    this.#options = options;
    this.#server = options.server;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#follow(this.#server);
  }

  send(message: Message): boolean {
    if (this.#waiting !== undefined) {
      this.#waiting.push(message);
      return true;
    }
    if (message.method === 'initialize') this.#initialize = message;
    return this.#server.send(message);
  }

  drained(): Promise<void> {
    return this.#server.drained();
  }

  pause(): void {
    this.#paused = true;
    this.#server.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#server.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closed ??= reason;
    return this.#server.close(reason);
  }

  #follow(server: Transport): void {
    server.start({
      message: (message) => {
        if (this.#server !== server) return;
        if (this.#initialize !== undefined && message.kind === 'response') this.#greeted(message);
        else this.#handlers?.message(message);
      },
      fault: (fault) => this.#handlers?.fault(fault),
      closed: (reason) => {
        if (this.#server !== server || this.#waiting !== undefined) return;
        const initialize = this.#initialize;
        // Greeted by somebody else, on behalf of all (../shared), it refused.
        if (initialize !== undefined && reason.code === 'session_lost') this.#begin(initialize, reason);
        else this.#handlers?.closed(reason);
      },
    });
  }

  #greeted(answer: Message): void {
    const initialize = this.#initialize;
    if (initialize === undefined || answer.id !== initialize.id) {
      this.#handlers?.message(answer);
      return;
    }
    this.#initialize = undefined;
    if (!refuses(answer)) {
      this.#options.onLegacy();
      this.#handlers?.message(answer);
      return;
    }
    this.#begin(initialize, answer);
  }

  #begin(initialize: Message, refusal: Message | CloseReason): void {
    this.#initialize = undefined;
    this.#waiting = [];
    void this.#turn(initialize, refusal);
  }

  async #turn(initialize: Message, refusal: Message | CloseReason): Promise<void> {
    const other = await this.#options.translated().catch(() => undefined);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    if (this.#closed !== undefined) {
      await other?.close(this.#closed);
      this.#handlers?.closed(this.#closed);
      return;
    }
    if (other === undefined) {
      if ('bytes' in refusal) this.#handlers?.message(refusal);
      else this.#handlers?.closed(refusal);
    } else {
      const old = this.#server;
      this.#server = other;
      this.#follow(other);
      if (this.#paused) other.pause();
      other.send(initialize);
      void old.close({ code: 'away', reason: 'the server speaks another era' });
    }
    for (const message of waiting) this.#server.send(message);
  }
}

/** An error has no result, and comes short. */
function refuses(answer: Message): boolean {
  return answer.bytes.length < 64 * 1024 && 'error' in (JSON.parse(answer.bytes.toString('utf8')) as object);
}
