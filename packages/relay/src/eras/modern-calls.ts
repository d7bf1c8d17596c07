// Many callers on one modern server: ids, progress tokens and subscription ids are told apart by numbers of ours. The era
// has no sessions, so nothing else needs to be kept apart (specification 2026-07-28, basic "Statelessness").
// Invariant: nothing reaches a caller but the answers to its own requests and the notifications that belong to them.

import { notificationMessage, parseMessage, rawId, requestMessage, toMessage, withId } from '../json-rpc.ts';
import type { Fault, Message } from '../message.ts';
import { asObject, type JsonObject, META, metaOf, objectOf, paramsOf } from './envelope.ts';
import { CANCELLED, LISTEN, LOG, PROGRESS } from './methods.ts';

export interface ModernCaller {
  /** Under the caller's own id. */
  answer(message: Message): void;
  /** Progress, log lines and what its subscription brings, under the caller's own token and id. */
  notification(message: Message): void;
  /** The answer was a line that is no message. */
  fault?(fault: Fault): void;
  /** Callers of one client share its channel: which of its requests a log line belongs to need not be known. */
  readonly client?: object;
}

interface OpenCall {
  readonly id: string;
  readonly method: string;
  readonly token: unknown;
  readonly logs: boolean;
  readonly caller: ModernCaller;
}

const TOKEN = Buffer.from('"progressToken"');
const LOG_LEVEL = Buffer.from(`"${META.logLevel}"`);
const SUBSCRIPTION = Buffer.from(`"${META.subscription}"`);

export class ModernCalls {
  readonly #send: (message: Message) => void;
  readonly #calls = new Map<string, OpenCall>();
  #next = 1;

  constructor(send: (message: Message) => void) {
    this.#send = send;
  }

  get open(): number {
    return this.#calls.size;
  }

  /** Our number of the call, by which it can be cancelled. */
  forward(message: Message, caller: ModernCaller): string {
    const { id = 'null', method = '' } = message;
    const own = String(this.#next++);
    const params = message.bytes.includes(TOKEN) ? paramsOf(message) : undefined;
    const token = params === undefined ? undefined : metaOf(params).progressToken;
    // A subscription brings what it subscribed to, and lives for long: it would make every line of others unsure.
    const logs = method !== LISTEN && message.bytes.includes(LOG_LEVEL);
    this.#calls.set(own, { id, method, token, logs, caller });
    this.#send(params === undefined || token === undefined ? withId(message, own) : withToken(message, own, params));
    return own;
  }

  /** Nobody waits any more. */
  cancel(own: string, reason: string): void {
    if (!this.#calls.delete(own)) return;
    this.#send(notificationMessage(CANCELLED, { requestId: Number(own), reason }));
  }

  fromServer(message: Message): void {
    if (message.kind === 'response') this.#answer(message);
    // The era has no requests of servers: one that comes all the same belongs to nobody, and an answer is not allowed.
    else if (message.kind === 'notification') this.#notification(message);
  }

  /** A line that was no message, but would have been the answer to a call. false: it belongs to no call. */
  fromServerFault(fault: Fault): boolean {
    const call = fault.id === undefined ? undefined : this.#calls.get(fault.id);
    if (call === undefined || fault.id === undefined || fault.kind === 'notification') return false;
    this.#calls.delete(fault.id);
    call.caller.fault?.({ ...fault, id: call.id });
    return true;
  }

  /** The server is gone. `lost` makes the answer of each call that was open. */
  end(lost: (id: string, method: string) => Message | undefined): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { id, method, caller } of calls) {
      const answer = lost(id, method);
      if (answer !== undefined) caller.answer(answer);
    }
  }

  #answer(message: Message): void {
    const call = this.#calls.get(message.id ?? 'null');
    if (call === undefined) return;
    this.#calls.delete(message.id ?? 'null');
    // The end of a subscription names it once more.
    const own = call.method === LISTEN && message.bytes.includes(SUBSCRIPTION);
    call.caller.answer(own ? endOfSubscription(message, call.id) : withId(message, call.id));
  }

  #notification(message: Message): void {
    if (message.method === PROGRESS) this.#progress(message);
    else if (message.bytes.includes(SUBSCRIPTION)) this.#event(message);
    else if (message.method === LOG) this.#log(message);
    else if (message.method === CANCELLED) this.#cancelled(message);
  }

  #progress(message: Message): void {
    const params = paramsOf(message);
    const call = this.#calls.get(String(params.progressToken));
    if (call === undefined || call.token === undefined) return;
    call.caller.notification(notificationMessage(PROGRESS, { ...params, progressToken: call.token }));
  }

  #event(message: Message): void {
    const params = paramsOf(message);
    const call = this.#calls.get(String(metaOf(params)[META.subscription]));
    if (call === undefined || call.method !== LISTEN) return;
    const _meta = { ...metaOf(params), [META.subscription]: rawId(call.id) };
    call.caller.notification(notificationMessage(message.method ?? '', { ...params, _meta }));
  }

  /** Nothing in a log line says whose it is: told to whom it surely belongs, else to nobody. */
  #log(message: Message): void {
    const owner = message.relatedTo === undefined ? undefined : this.#calls.get(message.relatedTo);
    if (owner !== undefined) {
      owner.caller.notification({ ...message, relatedTo: owner.id });
      return;
    }
    const asked = [...this.#calls.values()].filter(({ logs }) => logs);
    const [first] = asked;
    const sure = asked.every(
      ({ caller }) => caller === first?.caller || (caller.client && caller.client === first?.caller.client),
    );
    if (first !== undefined && sure) first.caller.notification(message);
  }

  /** A server takes back nothing but a subscription. */
  #cancelled(message: Message): void {
    const params = paramsOf(message);
    const call = this.#calls.get(String(params.requestId));
    if (call === undefined) return;
    call.caller.notification(notificationMessage(CANCELLED, { ...params, requestId: rawId(call.id) }));
  }
}

function withToken(message: Message, own: string, params: JsonObject): Message {
  const _meta = { ...metaOf(params), progressToken: Number(own) };
  return requestMessage(own, message.method ?? '', { ...params, _meta }, message.call);
}

function endOfSubscription(message: Message, id: string): Message {
  const value = parseMessage(message);
  const result = asObject(value.result);
  if (result === undefined) return withId(message, id);
  const _meta = { ...objectOf(result._meta), [META.subscription]: rawId(id) };
  return toMessage({ ...value, id: rawId(id), result: { ...result, _meta } });
}
