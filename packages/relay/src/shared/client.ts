// One client of a shared server, as a transport that whoever serves the client sees as the server alone.

import { stringifyExact } from '../json-exact.ts';
import { errorMessage, parseMessage, requestMessage, resultMessage } from '../json-rpc.ts';
import type { Fault, Message } from '../message.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../transport.ts';
import { Inbox } from '../transports/inbox.ts';
import type { SharedCalls } from './calls.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface SharedClientOptions {
  readonly calls: SharedCalls;
  readonly server: Transport;
  readonly subscriptions: Subscriptions<SharedClient>;
  /** A client that takes so little is given up: the others must not wait for it. */
  readonly hardQueueBytes: number;
  readonly onClosed: () => void;
}

/** Of one client: a server that many share has nobody to say it to. */
const NOT_SHARED = /^(logging|tasks)\//;
/** What concerns only what is not shared, or what the server was told once. */
const OURS = new Set([
  'notifications/initialized',
  'notifications/progress',
  'notifications/roots/list_changed',
  'notifications/tasks/status',
]);

export class SharedClient implements Transport {
  readonly #options: SharedClientOptions;
  readonly #inbox = new Inbox();
  /** The client's id -> ours. */
  readonly #open = new Map<string, string>();
  #closing: Promise<void> | undefined;

  constructor(options: SharedClientOptions) {
    this.#options = options;
  }

  start(handlers: TransportHandlers): void {
    this.#inbox.start(handlers);
  }

  send(message: Message): boolean {
    const { calls, server } = this.#options;
    if (this.#closing !== undefined) return true;
    if (message.kind === 'request') calls.whenGreeted(() => this.#request(message));
    else if (message.method === 'notifications/cancelled') this.#cancelled(message);
    else if (message.kind === 'notification' && !OURS.has(message.method ?? '')) return server.send(message);
    return true;
  }

  drained(): Promise<void> {
    return this.#options.server.drained();
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#leave(reason, true);
    return this.#closing;
  }

  deliver(item: Message | Fault): void {
    this.#inbox.push(item);
    if (this.#inbox.waitingBytes <= this.#options.hardQueueBytes) return;
    this.#closing ??= this.#leave({ code: 'queue_full', reason: 'the client took too little of what was sent' }, false);
  }

  /** The server ended. */
  lost({ notRun = [], ...reason }: CloseReason): void {
    const ours = [...this.#open].filter(([, own]) => notRun.includes(own)).map(([id]) => id);
    this.#closing ??= this.#leave({ ...reason, notRun: ours }, false);
  }

  #request(message: Message): void {
    if (this.#closing !== undefined) return;
    const { calls } = this.#options;
    const { id = 'null', method = '' } = message;
    if (method === 'initialize') this.#inbox.pushSoon(calls.welcome(message, withoutOwn));
    else if (method === 'ping') this.#inbox.pushSoon(resultMessage(id, {}));
    else if (NOT_SHARED.test(method)) {
      this.#inbox.pushSoon(
        errorMessage(id, 'method_not_found', `${method} cannot be had of a server that several clients share`),
      );
    } else if (method === 'resources/unsubscribe' && !this.#unsubscribed(message))
      this.#inbox.pushSoon(resultMessage(id, {}));
    else this.#forward(message, id);
  }

  #forward(message: Message, id: string): void {
    const subscribed = message.method === 'resources/subscribe' ? uriOf(message) : undefined;
    const own = this.#options.calls.forward(message, {
      progress: (progress) => this.deliver(progress),
      fault: (fault) => {
        this.#open.delete(id);
        this.deliver(fault);
      },
      answer: (answer) => {
        this.#open.delete(id);
        if (subscribed !== undefined && 'result' in parseMessage(answer)) {
          this.#options.subscriptions.add(subscribed, this);
        }
        this.deliver(answer);
      },
    });
    this.#open.set(id, own);
  }

  /** true: the server may forget it. */
  #unsubscribed(message: Message): boolean {
    const uri = uriOf(message);
    return uri === undefined || this.#options.subscriptions.delete(uri, this);
  }

  #cancelled(message: Message): void {
    const { params } = parseMessage(message) as { params?: { requestId?: unknown; reason?: unknown } };
    this.#cancel(stringifyExact(params?.requestId ?? null), String(params?.reason ?? 'the client cancelled'));
  }

  #cancel(id: string, reason: string): void {
    const own = this.#open.get(id);
    if (own === undefined) return;
    this.#open.delete(id);
    this.#options.calls.cancel(own, reason);
  }

  async #leave(reason: CloseReason, byOwner: boolean): Promise<void> {
    const { calls, subscriptions, onClosed } = this.#options;
    onClosed();
    for (const id of this.#open.keys()) this.#cancel(id, 'the client is gone');
    for (const uri of subscriptions.leave(this)) {
      calls.forward(requestMessage('0', 'resources/unsubscribe', { uri }), NOBODY);
    }
    this.#inbox.close(reason, { drop: byOwner });
  }
}

const NOBODY = { answer: (): void => {}, progress: (): void => {} };

/** Log lines and tasks of a shared server are nobody's in particular. */
function withoutOwn({ logging: _logging, tasks: _tasks, ...rest }: Readonly<Record<string, unknown>>) {
  return rest;
}

function uriOf(message: Message): string | undefined {
  const { params } = parseMessage(message) as { params?: { uri?: unknown } };
  return typeof params?.uri === 'string' ? params.uri : undefined;
}
