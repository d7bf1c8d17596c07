// A session of the older HTTP+SSE transport (revision 2024-11-05), as the Go original's client speaks it: one GET carries
// everything to the client, each message to us is a POST to the path its first event named.
// Invariant: the session lives exactly as long as that GET; it cannot be taken up again.

import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { EVENT_HEADERS } from './event-stream.ts';
import { HttpSession } from './session.ts';

const MESSAGE_BEGIN = Buffer.from('event: message\ndata: ');
const EVENT_END = Buffer.from('\n\n');

export interface SseSessionOptions {
  readonly limits: Limits;
  readonly onClosed: (session: SseSession) => void;
}

export class SseSession extends HttpSession {
  readonly id = randomBytes(16).toString('hex');
  readonly #options: SseSessionOptions;
  #response: ServerResponse | undefined;

  constructor(options: SseSessionOptions) {
    super(options.limits);
    this.#options = options;
  }

  /** Headers and the endpoint go out at once: clients wait for them before they send anything. */
  open(response: ServerResponse, endpoint: string): void {
    this.#response = response;
    this.outflow.add(response);
    response.on('close', () => void this.end({ code: 'done', reason: 'the client closed its event stream' }));
    response.writeHead(200, EVENT_HEADERS);
    response.write(`event: endpoint\ndata: ${endpoint}\n\n`);
  }

  accept(message: Message): void {
    this.inbox.push(message);
  }

  keepAlive(): void {
    const response = this.#response;
    if (response !== undefined && !response.writableEnded && !response.writableNeedDrain) {
      response.write(': keep-alive\n\n');
    }
  }

  override send(message: Message): boolean {
    const response = this.#response;
    if (this.ended || response === undefined || response.destroyed) return true;
    response.cork();
    response.write(MESSAGE_BEGIN);
    response.write(message.bytes);
    response.write(EVENT_END);
    response.uncork();
    return this.flow();
  }

  protected override finish(): void {
    this.#options.onClosed(this);
  }
}
