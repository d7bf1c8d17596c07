// Stateless serving (legacy, no session id): one POST is one call. All of them share one session upstream
// (../../shared/calls.ts), so that a client has nothing here but its requests, their progress and their answers.

import type { ServerResponse } from 'node:http';
import { resultMessage } from '../../json-rpc.ts';
import type { Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { lost, SharedCalls, withoutChanges } from '../../shared/calls.ts';
import type { CloseReason, TransportHandlers } from '../../transport.ts';
import { EventStream } from './event-stream.ts';
import { HttpSession } from './session.ts';

export interface StatelessSessionOptions {
  readonly limits: Limits;
  readonly jsonResponse: boolean;
  /** Program and version, told to the server as the client's name. */
  readonly by: string;
  readonly onClosed: (session: StatelessSession) => void;
}

export class StatelessSession extends HttpSession {
  readonly #options: StatelessSessionOptions;
  readonly #calls: SharedCalls;
  readonly #streams = new Set<EventStream>();

  constructor(options: StatelessSessionOptions) {
    super(options.limits);
    this.#options = options;
    this.#calls = new SharedCalls({
      by: options.by,
      send: (message) => this.inbox.pushSoon(message),
      onRefused: (reason) => queueMicrotask(() => void this.end({ code: 'http_failed', reason })),
    });
  }

  get full(): boolean {
    return this.#calls.open >= this.#options.limits.callsInAll + this.#options.limits.callsQueued;
  }

  /** A request, or those of a batch. */
  request(messages: readonly Message[], response: ServerResponse): void {
    this.outflow.add(response);
    const stream = new EventStream({ name: 'c0', primed: false, headers: {}, now: () => performance.now() });
    const initialize = messages[0]?.method === 'initialize';
    const json = (this.#options.jsonResponse || initialize) && messages.length === 1;
    stream.open(response, { wait: initialize, json });
    let open = messages.length;
    const answer = (message: Message): void => {
      open -= 1;
      if (open > 0) stream.write(message);
      else {
        this.#streams.delete(stream);
        stream.finish(message);
      }
    };
    this.#calls.whenGreeted(() => {
      this.#streams.add(stream);
      for (const message of messages) this.#ask(message, stream, answer);
    });
  }

  #ask(message: Message, stream: EventStream, answer: (message: Message) => void): void {
    const { id = 'null', method = '' } = message;
    if (this.ended) answer(lost(id, method, 'the session ended'));
    else if (method === 'initialize') answer(this.#calls.welcome(message, withoutChanges));
    else if (method === 'ping') answer(resultMessage(id, {}));
    else this.#calls.forward(message, { progress: (progress) => stream.write(progress), answer });
  }

  keepAlive(): void {
    for (const stream of this.#streams) stream.keepAlive();
  }

  override start(handlers: TransportHandlers): void {
    super.start(handlers);
    this.#calls.greet();
  }

  override send(message: Message): boolean {
    if (!this.ended) this.#calls.fromServer(message);
    return this.outflow.clear;
  }

  protected override finish(reason: CloseReason): void {
    this.#options.onClosed(this);
    this.#calls.end(`the session ended (${reason.reason})`);
  }
}
