// A session of the older HTTP+SSE transport (revision 2024-11-05), as the Go original's client speaks it: one GET carries
// everything to the client, each message to us is a POST to the path its first event named.
// Invariant: the session lives exactly as long as that GET; it cannot be taken up again.

import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../../transport.ts';
import { EVENT_HEADERS } from './event-stream.ts';
import { Inbox } from './inbox.ts';
import { Outflow } from './outflow.ts';

/** transport.ts: what is queued goes out within this. */
const FLUSH_MS = 1000;

const MESSAGE_BEGIN = Buffer.from('event: message\ndata: ');
const EVENT_END = Buffer.from('\n\n');

export interface SseSessionOptions {
  readonly limits: Limits;
  readonly onClosed: (session: SseSession) => void;
}

export class SseSession implements Transport {
  readonly id = randomBytes(16).toString('hex');
  readonly #options: SseSessionOptions;
  readonly #inbox = new Inbox();
  readonly #outflow: Outflow;
  #response: ServerResponse | undefined;
  #ending: Promise<void> | undefined;

  constructor(options: SseSessionOptions) {
    this.#options = options;
    this.#outflow = new Outflow(options.limits);
  }

  /** Headers and the endpoint go out at once: clients wait for them before they send anything. */
  open(response: ServerResponse, endpoint: string): void {
    this.#response = response;
    this.#outflow.add(response);
    response.on('close', () => void this.end({ code: 'done', reason: 'the client closed its event stream' }));
    response.writeHead(200, EVENT_HEADERS);
    response.write(`event: endpoint\ndata: ${endpoint}\n\n`);
  }

  ready(): Promise<void> {
    return this.#inbox.ready();
  }

  accept(message: Message): void {
    this.#inbox.push(message);
  }

  keepAlive(): void {
    const response = this.#response;
    if (response !== undefined && !response.writableEnded && !response.writableNeedDrain) {
      response.write(': keep-alive\n\n');
    }
  }

  end(reason: CloseReason): Promise<void> {
    return this.#end(reason, false);
  }

  start(handlers: TransportHandlers): void {
    this.#inbox.start(handlers);
  }

  send(message: Message): boolean {
    const response = this.#response;
    if (this.#ending !== undefined || response === undefined || response.destroyed) return true;
    response.cork();
    response.write(MESSAGE_BEGIN);
    response.write(message.bytes);
    response.write(EVENT_END);
    response.uncork();
    if (this.#outflow.overfull) {
      const reason = 'the client took too little of what was sent to it';
      queueMicrotask(() => void this.end({ code: 'queue_full', reason }));
    }
    return this.#outflow.clear;
  }

  drained(): Promise<void> {
    return this.#outflow.drained();
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    return this.#end(reason, true);
  }

  #end(reason: CloseReason, byOwner: boolean): Promise<void> {
    this.#ending ??= this.#finish(reason, byOwner);
    return this.#ending;
  }

  async #finish(reason: CloseReason, byOwner: boolean): Promise<void> {
    this.#options.onClosed(this);
    this.#inbox.close(reason, { drop: byOwner });
    await this.#outflow.end(FLUSH_MS);
  }
}
