// Stateless serving (legacy, no session id): one POST is one call. All of them share one session upstream, which we open
// ourselves with no client capabilities; ids and progress tokens of different clients are told apart by numbers of ours.
// Invariant: nothing reaches a client but the answer to its own request and the progress of it.

import type { ServerResponse } from 'node:http';
import {
  errorMessage,
  type JsonRpcValue,
  notificationMessage,
  parseMessage,
  rawId,
  requestMessage,
  resultMessage,
  toMessage,
} from '../../json-rpc.ts';
import type { Limits } from '../../limits.ts';
import type { Message } from '../../message.ts';
import { isRepeatable, LATEST_LEGACY_VERSION, LEGACY_VERSIONS } from '../../methods.ts';
import type { CloseReason, TransportHandlers } from '../../transport.ts';
import { EventStream } from './event-stream.ts';
import { HttpSession } from './session.ts';
import type { HttpLog } from './wire.ts';

const INITIALIZE_ID = '"initialize"';

export interface StatelessSessionOptions {
  readonly limits: Limits;
  readonly log: HttpLog;
  readonly jsonResponse: boolean;
  /** Program and version, told to the server as the client's name. */
  readonly by: string;
  readonly onClosed: (session: StatelessSession) => void;
}

interface Call {
  readonly id: string;
  readonly method: string;
  readonly token: Json;
  readonly stream: EventStream;
}

type Json = unknown;
type JsonObject = { [key: string]: Json };

export class StatelessSession extends HttpSession {
  readonly #options: StatelessSessionOptions;
  readonly #calls = new Map<string, Call>();
  #next = 1;
  /** Answer of the server to our `initialize`. */
  #hello: Message | undefined;
  #waiting: (() => void)[] = [];

  constructor(options: StatelessSessionOptions) {
    super(options.limits);
    this.#options = options;
  }

  get full(): boolean {
    return this.#calls.size >= this.#options.limits.callsInAll + this.#options.limits.callsQueued;
  }

  request(message: Message, response: ServerResponse): void {
    const { id = 'null', method = '' } = message;
    this.outflow.add(response);
    const stream = new EventStream({ name: 'c0', primed: false, headers: {}, now: () => performance.now() });
    stream.open(response, {
      wait: method === 'initialize',
      json: this.#options.jsonResponse || method === 'initialize',
    });
    this.#whenGreeted(() => {
      if (this.ended) stream.finish(this.#lost(id, method, 'the session ended'));
      else if (method === 'initialize') stream.finish(this.#answerInitialize(message));
      else if (method === 'ping') stream.finish(resultMessage(id, {}));
      else this.#forward(message, stream);
    });
  }

  keepAlive(): void {
    for (const { stream } of this.#calls.values()) stream.keepAlive();
  }

  override start(handlers: TransportHandlers): void {
    super.start(handlers);
    const [name, version = '0'] = this.#options.by.split('/', 2);
    const params = { protocolVersion: LATEST_LEGACY_VERSION, capabilities: {}, clientInfo: { name, version } };
    this.inbox.pushSoon(requestMessage(INITIALIZE_ID, 'initialize', params));
  }

  override send(message: Message): boolean {
    if (this.ended) return true;
    if (message.kind === 'request') this.#refuse(message);
    else if (message.kind === 'notification') this.#progress(message);
    else if (message.id === INITIALIZE_ID) this.#greeted(message);
    else this.#answer(message);
    return this.outflow.clear;
  }

  // --- hello ------------------------------------------------------------------------------------------------------

  #whenGreeted(go: () => void): void {
    if (this.#hello !== undefined || this.ended) go();
    else this.#waiting.push(go);
  }

  #greeted(answer: Message): void {
    if (this.#hello !== undefined) return;
    const { error } = parseMessage(answer) as { error?: { message?: unknown } };
    if (error !== undefined) {
      const reason = `the server refused initialize: ${String(error?.message ?? 'no reason given')}`;
      queueMicrotask(() => void this.end({ code: 'http_failed', reason }));
      return;
    }
    this.#hello = answer;
    this.inbox.pushSoon(notificationMessage('notifications/initialized'));
    queueMicrotask(() => this.#wake());
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** The server's own answer, in the client's revision, without what needs a stream that outlives a call. */
  #answerInitialize(message: Message): Message {
    const id = message.id ?? 'null';
    if (this.#hello === undefined) return this.#lost(id, 'initialize', 'the session ended');
    const { result } = parseMessage(this.#hello) as { result: JsonObject };
    const { params } = parseMessage(message) as { params?: JsonObject };
    const served = typeof result.protocolVersion === 'string' ? result.protocolVersion : LATEST_LEGACY_VERSION;
    const asked = LEGACY_VERSIONS.find((version) => version === params?.protocolVersion) ?? served;
    const capabilities: JsonObject = { ...objectOf(result.capabilities) };
    for (const kind of ['tools', 'resources', 'prompts']) {
      if (capabilities[kind] === undefined) continue;
      const { listChanged: _listChanged, subscribe: _subscribe, ...rest } = objectOf(capabilities[kind]);
      capabilities[kind] = rest;
    }
    // Revisions are dates: the older one sorts first.
    const [protocolVersion] = [asked, served].sort();
    return resultMessage(id, { ...result, capabilities, protocolVersion });
  }

  // --- calls ------------------------------------------------------------------------------------------------------

  #forward(message: Message, stream: EventStream): void {
    const { id = 'null', method = '' } = message;
    const own = String(this.#next++);
    const value = parseMessage(message) as unknown as JsonObject;
    const params = objectOf(value.params);
    const meta = objectOf(params._meta);
    const token = meta.progressToken;
    const changed =
      token === undefined ? value : { ...value, params: { ...params, _meta: { ...meta, progressToken: Number(own) } } };
    this.#calls.set(own, { id, method, token, stream });
    this.inbox.push(toMessage({ ...changed, id: Number(own) } as JsonRpcValue));
  }

  #answer(message: Message): void {
    const call = this.#calls.get(message.id ?? 'null');
    if (call === undefined) return;
    this.#calls.delete(message.id ?? 'null');
    const value = parseMessage(message) as unknown as JsonObject;
    call.stream.finish(toMessage({ ...value, id: rawId(call.id) } as JsonRpcValue));
  }

  #progress(message: Message): void {
    if (message.method !== 'notifications/progress') return;
    const value = parseMessage(message) as unknown as JsonObject;
    const params = objectOf(value.params);
    const call = this.#calls.get(String(params.progressToken));
    if (call === undefined || call.token === undefined) return;
    call.stream.write(toMessage({ ...value, params: { ...params, progressToken: call.token } } as JsonRpcValue));
  }

  #refuse(message: Message): void {
    const id = message.id ?? 'null';
    if (message.method === 'ping') this.inbox.pushSoon(resultMessage(id, {}));
    else {
      const text = `${message.method ?? 'this request'} cannot be asked: the clients here are served without sessions`;
      this.inbox.pushSoon(errorMessage(id, 'method_not_found', text));
    }
  }

  #lost(id: string, method: string, reason: string): Message {
    const name = isRepeatable(method) ? 'backend_unavailable' : 'outcome_unknown';
    return errorMessage(id, name, `${reason} while this request was open`);
  }

  protected override finish(reason: CloseReason): void {
    this.#options.onClosed(this);
    for (const { id, method, stream } of this.#calls.values()) {
      stream.finish(this.#lost(id, method, `the session ended (${reason.reason})`));
    }
    this.#calls.clear();
    this.#wake();
  }
}

function objectOf(value: Json): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}
