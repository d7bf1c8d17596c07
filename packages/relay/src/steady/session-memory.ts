// What rebuilds a legacy session on a new server process or a new link: its initialize, its log level, its subscriptions,
// and what its lists looked like. It sees every message of one session; it never changes one.

import { createHash } from 'node:crypto';
import type { Message } from '../message.ts';
import { type ListKind, listKindOf } from '../methods.ts';

/** Each is a whole request that is kept. */
const MAX_SUBSCRIPTIONS = 1024;

export interface ListSeen {
  readonly kind: ListKind;
  /** One digest a page, in the order the client walked them. */
  readonly pages: string[];
}

export class SessionMemory {
  /** The client's own initialize, as it sent it. */
  initialize: Message | undefined;
  /** The server's answer to it; from then on the session exists and is worth rebuilding. */
  initializeResult: Message | undefined;
  initialized: Message | undefined;
  private level: Message | undefined;
  private readonly subscriptions = new Map<string, Message>();
  private readonly lists = new Map<string, ListSeen>();
  /** Requests whose answer teaches us something, by id. */
  private readonly watched = new Map<string, Message>();

  get established(): boolean {
    return this.initializeResult !== undefined;
  }

  fromClient(message: Message): void {
    // Without initialize there is no session: a modern client has none.
    if (this.initialize === undefined && message.method !== 'initialize') return;
    switch (message.method) {
      case 'initialize':
        // A second one is refused by every server: the first made the session.
        if (this.established) return;
        this.initialize = message;
        this.watch(message);
        return;
      case 'notifications/initialized':
        this.initialized = message;
        return;
      case 'logging/setLevel':
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        this.watch(message);
        return;
      default:
        if (message.method !== undefined && listKindOf(message.method)) this.watch(message);
    }
  }

  /** `response` answers a request of the client. */
  answered(response: Message): void {
    const request = response.id === undefined ? undefined : this.watched.get(response.id);
    if (request === undefined || response.id === undefined) return;
    this.watched.delete(response.id);
    if (isError(response)) return;
    switch (request.method) {
      case 'initialize':
        this.initializeResult = response;
        return;
      case 'logging/setLevel':
        this.level = request;
        return;
      case 'resources/subscribe':
        // What is not remembered is not rebuilt after a loss, nothing worse.
        if (this.subscriptions.size < MAX_SUBSCRIPTIONS) this.subscriptions.set(subscriptionKey(request), request);
        return;
      case 'resources/unsubscribe':
        this.subscriptions.delete(subscriptionKey(request));
        return;
      default:
        this.sawList(request, response);
    }
  }

  /** A request that will get no answer from the server. */
  forget(id: string): void {
    this.watched.delete(id);
  }

  /** Requests that bring a new server to where the old one was, after initialize. */
  replay(): Message[] {
    return [...(this.level ? [this.level] : []), ...this.subscriptions.values()];
  }

  listsSeen(): readonly ListSeen[] {
    return [...this.lists.values()];
  }

  private watch(request: Message): void {
    if (request.id !== undefined) this.watched.set(request.id, request);
  }

  private sawList(request: Message, response: Message): void {
    const kind = request.method === undefined ? undefined : listKindOf(request.method);
    if (!kind) return;
    const first = !request.bytes.includes('"cursor"');
    const seen = first ? { kind, pages: [] } : this.lists.get(kind.method);
    if (!seen) return;
    seen.pages.push(digestOfAnswer(response));
    this.lists.set(kind.method, seen);
  }
}

/** Digest of an answer without its id, so that the same answer to two requests compares equal. */
export function digestOfAnswer(response: Message): string {
  const text = response.bytes.toString('utf8');
  const id = response.id ?? '';
  const at = [`"id":${id}`, `"id": ${id}`]
    .map((form) => [text.indexOf(form), form.length] as const)
    .find(([i]) => i >= 0);
  const body = at ? text.slice(0, at[0]) + text.slice(at[0] + at[1]) : text;
  return createHash('sha256').update(body).digest('base64');
}

export function isError(response: Message): boolean {
  return envelopeHas(response, 'error');
}

function subscriptionKey(request: Message): string {
  const uri = /"uri"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(request.bytes.toString('utf8'));
  return uri?.[1] ?? request.bytes.toString('base64');
}

/** Whether the response is an error. Cheap for the usual short error; a result is told by its first members. */
function envelopeHas(response: Message, member: 'error'): boolean {
  const head = response.bytes.subarray(0, 4096).toString('latin1');
  if (/^\s*\{[^{[]*"result"\s*:/.test(head)) return false;
  if (/^\s*\{[^{[]*"error"\s*:/.test(head)) return true;
  const value: unknown = JSON.parse(response.bytes.toString('utf8'));
  return typeof value === 'object' && value !== null && member in value;
}
