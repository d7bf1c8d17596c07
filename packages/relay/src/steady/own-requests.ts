// Requests of ours to a server, beside those of the client: what rebuilds a session, and what compares its lists.

import type { Message } from '../message.ts';
import type { Transport } from '../transport.ts';

/** No client makes such ids, and an answer to one never reaches a client. */
const OWN_ID = '"mcp-overlay:';

export class OwnRequests {
  private nextId = 1;
  private readonly waiting = new Map<string, (answer: Message | undefined) => void>();

  newId(): string {
    return `${OWN_ID}${this.nextId++}"`;
  }

  has(id: string): boolean {
    return this.waiting.has(id);
  }

  /** undefined: the server was lost before it answered. */
  ask(transport: Transport, request: Message): Promise<Message | undefined> {
    return new Promise((resolve) => {
      if (request.id !== undefined) this.waiting.set(request.id, resolve);
      transport.send(request);
    });
  }

  /** Whether this was an answer to us. */
  answered(message: Message): boolean {
    const resolve = this.waiting.get(message.id ?? '');
    if (!resolve) return false;
    this.waiting.delete(message.id ?? '');
    resolve(message);
    return true;
  }

  lose(): void {
    const lost = [...this.waiting.values()];
    this.waiting.clear();
    for (const resolve of lost) resolve(undefined);
  }
}
