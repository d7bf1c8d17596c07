// Between a client's transport and its sessions: while it is shut, requests of the client wait here, and everything else
// passes (answers to servers' questions, progress, what is taken back). So a session comes to a moment without open calls
// and can move to a successor with nothing lost: what still waits then is turned back unrun, and asked again there.

import {
  type CloseReason,
  leaving,
  type Message,
  parseMessage,
  stringifyExact,
  type Transport,
  type TransportHandlers,
} from '@mcp-overlay/relay';

export class RequestGate implements Transport {
  readonly #client: Transport;
  readonly #maxBytes: number;
  #handlers: TransportHandlers | undefined;
  #shut = false;
  #waiting: Message[] = [];
  #bytes = 0;
  #ownerPaused = false;
  #full = false;
  /** When the client last said anything, on the clock of `performance.now`. */
  heardAt = performance.now();

  /** Above `maxBytes` of waiting requests the client is not read. */
  constructor(client: Transport, maxBytes: number) {
    this.#client = client;
    this.#maxBytes = maxBytes;
  }

  start(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#client.start({ ...handlers, message: (message) => this.#take(message) });
  }

  send(message: Message): boolean {
    return this.#client.send(message);
  }

  drained(): Promise<void> {
    return this.#client.drained();
  }

  pause(): void {
    this.#ownerPaused = true;
    this.#client.pause();
  }

  resume(): void {
    this.#ownerPaused = false;
    if (!this.#full) this.#client.resume();
  }

  /** What waits is turned back first: its client asks it again elsewhere. */
  close(reason?: CloseReason): Promise<void> {
    for (const { id = 'null' } of this.#empty()) this.#client.send(leaving(id, 'the gateway'));
    return this.#client.close(reason);
  }

  shut(): void {
    this.#shut = true;
  }

  /** What waited goes on its way, in order. */
  reopen(): void {
    this.#shut = false;
    for (const message of this.#empty()) this.#handlers?.message(message);
  }

  #take(message: Message): void {
    this.heardAt = performance.now();
    if (!this.#shut || (message.kind !== 'request' && !this.#takenBack(message))) {
      this.#handlers?.message(message);
      return;
    }
    if (message.kind !== 'request') return;
    this.#waiting.push(message);
    this.#bytes += message.bytes.length;
    if (this.#full || this.#bytes < this.#maxBytes) return;
    this.#full = true;
    this.#client.pause();
  }

  /** Whether it takes back what only waits; then nobody behind has to hear of it. */
  #takenBack(message: Message): boolean {
    if (message.method !== 'notifications/cancelled' || this.#waiting.length === 0) return false;
    const { params } = parseMessage(message) as { params?: { requestId?: unknown } };
    const id = stringifyExact(params?.requestId ?? null);
    const at = this.#waiting.findIndex((request) => request.id === id);
    if (at < 0) return false;
    const [request] = this.#waiting.splice(at, 1);
    this.#bytes -= request?.bytes.length ?? 0;
    return true;
  }

  #empty(): Message[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    if (this.#full) {
      this.#full = false;
      if (!this.#ownerPaused) this.#client.resume();
    }
    return waiting;
  }
}
