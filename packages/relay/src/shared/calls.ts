// Many callers on one session of a server: ids and progress tokens are told apart by numbers of ours, the session is
// greeted once and each caller's initialize answered from that. The server has nobody to ask, so it is told that there
// are no client capabilities, and what it asks all the same is refused.
// Invariant: nothing reaches a caller but the answers to its own requests and the progress of them.

import { outcomeUnknown } from '../errors.ts';
import { errorMessage, notificationMessage, parseMessage, requestMessage, resultMessage, withId } from '../json-rpc.ts';
import type { Fault, Message } from '../message.ts';
import { isRepeatable, LATEST_LEGACY_VERSION, LEGACY_VERSIONS } from '../methods.ts';

export interface Caller {
  /** Under the caller's own id. */
  answer(message: Message): void;
  /** Under the caller's own token. */
  progress(message: Message): void;
  /** The answer was a line that is no message. */
  fault?(fault: Fault): void;
}

export interface SharedCallsOptions {
  /** Program and version, told to the server as the client's name. */
  readonly by: string;
  /** To the server. */
  send(message: Message): void;
  /** The server refused initialize. */
  onRefused(reason: string): void;
}

interface OpenCall {
  readonly id: string;
  readonly method: string;
  readonly token: unknown;
  readonly caller: Caller;
}

type JsonObject = Readonly<Record<string, unknown>>;

const INITIALIZE_ID = '"initialize"';
const LIST_CAPABILITIES = ['tools', 'resources', 'prompts'];

export class SharedCalls {
  readonly #options: SharedCallsOptions;
  readonly #calls = new Map<string, OpenCall>();
  #next = 1;
  #hello: Message | undefined;
  #over = false;
  #waiting: (() => void)[] = [];

  constructor(options: SharedCallsOptions) {
    this.#options = options;
  }

  get open(): number {
    return this.#calls.size;
  }

  greet(): void {
    const [name, version = '0'] = this.#options.by.split('/', 2);
    const params = { protocolVersion: LATEST_LEGACY_VERSION, capabilities: {}, clientInfo: { name, version } };
    this.#options.send(requestMessage(INITIALIZE_ID, 'initialize', params));
  }

  /** At once if the server was greeted or nothing more will come of it, else then. In the order of the calls. */
  whenGreeted(go: () => void): void {
    if (this.#hello !== undefined || this.#over) go();
    else this.#waiting.push(go);
  }

  /** The server's own answer to initialize in the caller's revision; `reduce` leaves out what cannot be had here. */
  welcome(request: Message, reduce: (capabilities: JsonObject) => JsonObject): Message {
    const id = request.id ?? 'null';
    if (this.#hello === undefined) return lost(id, 'initialize', 'the session ended');
    const { result } = parseMessage(this.#hello) as { result: JsonObject };
    const { params } = parseMessage(request) as { params?: JsonObject };
    const served = typeof result.protocolVersion === 'string' ? result.protocolVersion : LATEST_LEGACY_VERSION;
    const asked = LEGACY_VERSIONS.find((version) => version === params?.protocolVersion) ?? served;
    // Revisions are dates: the older one sorts first.
    const [protocolVersion] = [asked, served].sort();
    return resultMessage(id, { ...result, capabilities: reduce(objectOf(result.capabilities)), protocolVersion });
  }

  /** Our number of the call, by which it can be cancelled. */
  forward(message: Message, caller: Caller): string {
    const { id = 'null', method = '' } = message;
    const own = String(this.#next++);
    const token = tokenOf(message);
    this.#calls.set(own, { id, method, token, caller });
    this.#options.send(token === undefined ? withId(message, own) : withToken(message, own));
    return own;
  }

  /** Nobody waits any more. */
  cancel(own: string, reason: string): void {
    if (!this.#calls.delete(own)) return;
    this.#options.send(notificationMessage('notifications/cancelled', { requestId: Number(own), reason }));
  }

  /** false: it belongs to no call. */
  fromServer(message: Message): boolean {
    if (message.kind === 'request') this.#refuse(message);
    else if (message.kind === 'response') this.#answer(message);
    else if (message.method === 'notifications/progress') this.#progress(message);
    else return false;
    return true;
  }

  /** A line that was no message, but would have been the answer to a call. false: it belongs to no call. */
  fromServerFault(fault: Fault): boolean {
    const call = fault.id === undefined ? undefined : this.#calls.get(fault.id);
    if (call === undefined || fault.id === undefined || fault.kind === 'notification') return false;
    this.#calls.delete(fault.id);
    call.caller.fault?.({ ...fault, id: call.id });
    return true;
  }

  /** The session is over: open calls are answered with what is known. */
  end(reason: string): void {
    this.#over = true;
    for (const { id, method, caller } of this.#calls.values()) caller.answer(lost(id, method, reason));
    this.#calls.clear();
    this.#wake();
  }

  #answer(message: Message): void {
    if (message.id === INITIALIZE_ID) {
      this.#greeted(message);
      return;
    }
    const call = this.#calls.get(message.id ?? 'null');
    if (call === undefined) return;
    this.#calls.delete(message.id ?? 'null');
    call.caller.answer(withId(message, call.id));
  }

  #greeted(answer: Message): void {
    if (this.#hello !== undefined || this.#over) return;
    const { error } = parseMessage(answer) as { error?: { message?: unknown } };
    if (error !== undefined) {
      this.#options.onRefused(`the server refused initialize: ${String(error?.message ?? 'no reason given')}`);
      return;
    }
    this.#hello = answer;
    this.#options.send(notificationMessage('notifications/initialized'));
    // The server hears of it before any call.
    queueMicrotask(() => this.#wake());
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  #progress(message: Message): void {
    const { params } = parseMessage(message) as { params?: JsonObject };
    const call = this.#calls.get(String(params?.progressToken));
    if (call === undefined || call.token === undefined) return;
    call.caller.progress(notificationMessage('notifications/progress', { ...params, progressToken: call.token }));
  }

  #refuse(message: Message): void {
    const id = message.id ?? 'null';
    if (message.method === 'ping') {
      this.#options.send(resultMessage(id, {}));
      return;
    }
    const text = `${message.method ?? 'this request'} cannot be asked: several clients share this session`;
    this.#options.send(errorMessage(id, 'method_not_found', text));
  }
}

/** Lists whose changes cannot be told. */
export function withoutChanges(capabilities: JsonObject): JsonObject {
  const reduced: Record<string, unknown> = { ...capabilities };
  for (const kind of LIST_CAPABILITIES) {
    if (capabilities[kind] === undefined) continue;
    const { listChanged: _listChanged, subscribe: _subscribe, ...rest } = objectOf(capabilities[kind]);
    reduced[kind] = rest;
  }
  return reduced;
}

export function lost(id: string, method: string, reason: string): Message {
  const what = `${reason} while this request was open`;
  return isRepeatable(method)
    ? errorMessage(id, 'backend_unavailable', what)
    : errorMessage(id, 'outcome_unknown', outcomeUnknown(what));
}

function tokenOf(message: Message): unknown {
  // Most requests have none: not parsed.
  if (!message.bytes.includes('"progressToken"')) return undefined;
  const { params } = parseMessage(message) as { params?: JsonObject };
  return objectOf(params?._meta).progressToken;
}

function withToken(message: Message, own: string): Message {
  const { params } = parseMessage(message) as { params?: JsonObject };
  const _meta = { ...objectOf(params?._meta), progressToken: Number(own) };
  return requestMessage(own, message.method ?? '', { ...params, _meta }, message.call);
}

function objectOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
