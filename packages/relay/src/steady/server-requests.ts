// Requests of the server that the client has not answered. A restarted server counts its ids from the start again, and the
// client must not see one twice: after the first loss they are shown under another id.

import { stringifyExact } from '../json-exact.ts';
import { notificationMessage, parseMessage, rawId, withId } from '../json-rpc.ts';
import type { Message } from '../message.ts';

/** A server that asks and asks is told so; no client has this many questions open. */
const MAX_OPEN = 1024;

export class ServerRequests {
  /** Counts lost servers. */
  private generation = 0;
  private count = 0;
  /** Id the client sees -> id of the server. */
  private readonly open = new Map<string, string>();

  get full(): boolean {
    return this.open.size >= MAX_OPEN;
  }

  /** The request as the client sees it. */
  shown(message: Message): Message {
    const id = message.id ?? 'null';
    const shown = this.generation === 0 ? id : `"${this.generation}:${this.count++}"`;
    this.open.set(shown, id);
    return withId(message, shown);
  }

  /** The client's answer as the server expects it; undefined for what nobody asked, and for a server that is gone. */
  answer(message: Message): Message | undefined {
    const shown = message.id ?? 'null';
    const id = this.open.get(shown);
    if (id === undefined) return undefined;
    this.open.delete(shown);
    return withId(message, id);
  }

  /** A notification of the server; one that takes back a request names it as the client knows it. */
  notification(message: Message): Message {
    if (this.generation === 0 || message.method !== 'notifications/cancelled') return message;
    const { params } = parseMessage(message) as { params?: { requestId?: unknown } };
    const id = stringifyExact(params?.requestId ?? null);
    for (const [shown, own] of this.open) {
      if (own === id) return notificationMessage('notifications/cancelled', { ...params, requestId: rawId(shown) });
    }
    return message;
  }

  /** The server is gone: what takes its questions back. */
  lose(reason: string): Message[] {
    this.generation += 1;
    const lost = [...this.open.keys()];
    this.open.clear();
    return lost.map((id) => notificationMessage('notifications/cancelled', { requestId: rawId(id), reason }));
  }
}
