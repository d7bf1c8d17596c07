// One client of a shared server, as a transport that whoever serves the client sees as the server alone.

import { errorMessage, parseMessage, requestMessage, resultMessage } from '../json-rpc.ts';
import type { Message } from '../message.ts';
import { Seat, type SeatOptions } from '../seat.ts';
import type { SharedCalls } from './calls.ts';
import type { Subscriptions } from './subscriptions.ts';

export interface SharedClientOptions extends SeatOptions {
  readonly calls: SharedCalls;
  readonly subscriptions: Subscriptions<SharedClient>;
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

export class SharedClient extends Seat {
  readonly #options: SharedClientOptions;

  constructor(options: SharedClientOptions) {
    super(options);
    this.#options = options;
  }

  protected override request(message: Message, id: string): void {
    this.#options.calls.whenGreeted(() => this.#greeted(message, id));
  }

  protected override passes({ method = '' }: Message): boolean {
    return !OURS.has(method);
  }

  protected override left(): void {
    const { calls, subscriptions } = this.#options;
    for (const uri of subscriptions.leave(this)) {
      calls.forward(requestMessage('0', 'resources/unsubscribe', { uri }), NOBODY);
    }
  }

  #greeted(message: Message, id: string): void {
    if (this.ended) return;
    const { calls } = this.#options;
    const { method = '' } = message;
    if (method === 'initialize') this.inbox.pushSoon(calls.welcome(message, withoutOwn));
    else if (method === 'ping') this.inbox.pushSoon(resultMessage(id, {}));
    else if (NOT_SHARED.test(method)) {
      this.inbox.pushSoon(
        errorMessage(id, 'method_not_found', `${method} cannot be had of a server that several clients share`),
      );
    } else if (method === 'resources/unsubscribe' && !this.#unsubscribed(message))
      this.inbox.pushSoon(resultMessage(id, {}));
    else this.#forward(message, id);
  }

  #forward(message: Message, id: string): void {
    const subscribed = message.method === 'resources/subscribe' ? uriOf(message) : undefined;
    const own = this.#options.calls.forward(message, {
      progress: (progress) => this.deliver(progress),
      fault: (fault) => this.settled(id, fault),
      answer: (answer) => {
        if (subscribed !== undefined && 'result' in parseMessage(answer)) {
          this.#options.subscriptions.add(subscribed, this);
        }
        this.settled(id, answer);
      },
    });
    this.opened(id, own);
  }

  /** true: the server may forget it. */
  #unsubscribed(message: Message): boolean {
    const uri = uriOf(message);
    return uri === undefined || this.#options.subscriptions.delete(uri, this);
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
