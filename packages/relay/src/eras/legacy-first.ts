// A legacy client's way to a server that may not take its initialize: one whose era is not sure, or a modern one of which
// nobody knows yet whether it speaks the older revisions too. A server that takes it is spoken to as it is. One that does
// not may have a second chance (a fresh one, where the first was asked something before), and then is translated, if it is
// found to be a modern one; any other keeps its answer.

import { parseMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { asString, objectOf } from './envelope.ts';

export interface LegacyFirstOptions {
  readonly server: Transport;
  /** It took initialize: it speaks the legacy era, this revision of it. */
  onLegacy(revision: string | undefined): void;
  /** It was lost after that. */
  onLost(): void;
  /** The server was asked something before, which it may have died of or be stuck at: one that was not. */
  readonly fresh?: { open(): Promise<Transport>; readonly stuckMs: number } | undefined;
  /** An end is a refusal too: it is known to be there, and modern. */
  readonly refusesByEnd?: boolean;
  /** The same server for a legacy client, translated; undefined: it is no modern one either. */
  translated(): Promise<Transport | undefined>;
}

type Refusal = Message | CloseReason;

export class LegacyFirst implements Transport {
  readonly #options: LegacyFirstOptions;
  #server: Transport;
  #handlers: TransportHandlers | undefined;
  #initialize: Message | undefined;
  #greeted = false;
  /** Another server can still be had before it is given up. */
  #fresh: LegacyFirstOptions['fresh'];
  #stuck: NodeJS.Timeout | undefined;
  /** What the client sends while another way is looked for. */
  #waiting: Message[] | undefined;
  #closed: CloseReason | undefined;
  #paused = false;

  constructor(options: LegacyFirstOptions) {
    this.#options = options;
    this.#server = options.server;
    this.#fresh = options.fresh;
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
    if (message.method === 'initialize' && !this.#greeted) {
      this.#initialize = message;
      if (this.#fresh !== undefined) this.#stuck = setTimeout(() => this.#isStuck(), this.#fresh.stuckMs);
    }
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
    clearTimeout(this.#stuck);
    return this.#server.close(reason);
  }

  #follow(server: Transport): void {
    server.start({
      message: (message) => {
        if (this.#server !== server) return;
        if (this.#initialize !== undefined && message.kind === 'response') this.#answered(message, this.#initialize);
        else this.#handlers?.message(message);
      },
      fault: (fault) => {
        if (this.#server === server) this.#handlers?.fault(fault);
      },
      closed: (reason) => {
        if (this.#server !== server || this.#waiting !== undefined) return;
        clearTimeout(this.#stuck);
        if (this.#closed === undefined && this.#greeted) this.#options.onLost();
        const initialize = this.#initialize;
        if (initialize !== undefined && this.#closed === undefined && this.#refusedBy(reason)) {
          void this.#turn(initialize, reason);
        } else this.#handlers?.closed(reason);
      },
    });
  }

  #refusedBy({ code }: CloseReason): boolean {
    // Greeted by somebody else, on behalf of all (../shared), it refused.
    return code === 'session_lost' || this.#fresh !== undefined || this.#options.refusesByEnd === true;
  }

  #answered(answer: Message, initialize: Message): void {
    if (answer.id !== initialize.id) {
      this.#handlers?.message(answer);
      return;
    }
    clearTimeout(this.#stuck);
    const welcome = welcomeIn(answer);
    if (welcome === undefined) {
      void this.#turn(initialize, answer);
      return;
    }
    this.#initialize = undefined;
    this.#fresh = undefined;
    this.#greeted = true;
    this.#options.onLegacy(asString(welcome.protocolVersion));
    this.#handlers?.message(answer);
  }

  #isStuck(): void {
    const initialize = this.#initialize;
    const reason = 'it answered neither the question for its era nor initialize';
    if (initialize !== undefined && this.#waiting === undefined) {
      void this.#turn(initialize, { code: 'session_lost', reason });
    }
  }

  /** Another server for the same initialize, if there is one. */
  async #turn(initialize: Message, refusal: Refusal): Promise<void> {
    const fresh = 'bytes' in refusal ? undefined : this.#fresh;
    this.#fresh = undefined;
    this.#waiting = [];
    const old = this.#server;
    const away = { code: 'away', reason: 'the server speaks another era' };
    // Not beside it: two first starts of the same command may be in each other's way.
    if (fresh !== undefined) await old.close(away);
    const other = await (fresh?.open() ?? this.#options.translated()).catch(() => undefined);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (this.#closed !== undefined) {
      await other?.close(this.#closed);
      this.#handlers?.closed(this.#closed);
      return;
    }
    if (other === undefined) {
      this.#initialize = undefined;
      if ('bytes' in refusal) this.#handlers?.message(refusal);
      else this.#handlers?.closed(refusal);
    } else {
      if (fresh === undefined) this.#initialize = undefined;
      this.#server = other;
      this.#follow(other);
      if (this.#paused) other.pause();
      other.send(initialize);
      if (fresh === undefined) void old.close(away);
    }
    for (const message of waiting) this.#server.send(message);
  }
}

/** An error comes short, a welcome not always; neither holds a number that must be exact. */
function welcomeIn(answer: Message) {
  const { result } = parseMessage(answer);
  return result === undefined ? undefined : objectOf(result);
}
