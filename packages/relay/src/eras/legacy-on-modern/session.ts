// A legacy client's session on a modern server: initialize is answered from server/discover, each request gets the
// envelope that the session stands for, and what the era has taken away (ping, log level, subscriptions, questions of the
// server) is made of what it has instead. In: the client's messages by `send`; out: the server's, as a legacy one says them.
// Invariant: each request of the client is answered once, and nothing of the modern era reaches it.

import type { RpcErrorName } from '../../errors.ts';
import { stringifyExact } from '../../json-exact.ts';
import { errorMessage, notificationMessage, rawId, requestMessage, resultMessage, toMessage } from '../../json-rpc.ts';
import type { Fault, Message } from '../../message.ts';
import { LATEST_LEGACY_VERSION, LEGACY_VERSIONS } from '../../methods.ts';
import { type CloseReason, DONE, type Transport, type TransportHandlers } from '../../transport.ts';
import { Inbox } from '../../transports/inbox.ts';
import {
  type ClientEnvelope,
  CODES,
  errorOf,
  type JsonObject,
  META,
  metaOf,
  objectOf,
  paramsOf,
  type RpcErrorValue,
  resultOf,
  withEnvelope,
} from '../envelope.ts';
import { ACKNOWLEDGED, CANCELLED, DISCOVER, isTaskMethod, LEGACY_ONLY, LISTEN, LOG_LEVELS, TASKS } from '../methods.ts';
import { LegacyCall } from './call.ts';
import { LegacyListener } from './listener.ts';
import { Questions } from './questions.ts';
import { legacyError, legacyResult, legacyWelcome } from './words.ts';

export interface LegacyOnModernOptions {
  /** A modern server, ours alone. */
  readonly server: Transport;
  /** Whether the client may want to hear of changes; default true. */
  readonly listens?: boolean;
  /** What the server has just told, so that it need not be asked again. */
  readonly discovered?: JsonObject | undefined;
}

/** Of a client; they tell what is no concern of a modern server. */
const UNSAID = new Set(['notifications/progress', 'notifications/roots/list_changed', 'notifications/tasks/status']);

export class LegacyOnModern implements Transport {
  readonly #server: Transport;
  readonly #listens: boolean;
  readonly #inbox = new Inbox();
  /** By our id. */
  readonly #asked = new Map<string, (answer: Message | Fault) => void>();
  /** Calls by the client's id. */
  readonly #calls = new Map<string, LegacyCall>();
  readonly #questions: Questions;
  readonly #listener: LegacyListener;
  #client: ClientEnvelope = { capabilities: {}, clientInfo: undefined };
  #discovered: JsonObject = {};
  #known: JsonObject | undefined;
  #level: string | undefined;
  #next = 1;
  #closing: Promise<void> | undefined;

  constructor({ server, listens = true, discovered }: LegacyOnModernOptions) {
    this.#server = server;
    this.#listens = listens;
    this.#known = discovered;
    this.#questions = new Questions({
      capabilities: () => this.#client.capabilities,
      send: (message) => this.#inbox.push(message),
    });
    this.#listener = new LegacyListener({
      ask: (method, params) => this.ask(method, params),
      cancel: (id) => this.cancel(id, 'the subscription is replaced'),
      deliver: (message) => this.#inbox.push(message),
    });
  }

  start(handlers: TransportHandlers): void {
    this.#inbox.start(handlers);
    this.#server.start({
      message: (message) => this.#fromServer(message),
      fault: (fault) => this.#fault(fault),
      closed: (reason) => {
        this.#closing ??= Promise.resolve();
        this.#end();
        this.#inbox.close(reason);
      },
    });
  }

  send(message: Message): boolean {
    if (this.#closing !== undefined) return true;
    if (message.kind === 'response') this.#questions.answer(message);
    else if (message.kind === 'notification') this.#notification(message);
    else this.#request(message);
    return true;
  }

  drained(): Promise<void> {
    return this.#server.drained();
  }

  pause(): void {
    this.#inbox.pause();
    this.#server.pause();
  }

  resume(): void {
    this.#inbox.resume();
    this.#server.resume();
  }

  close(reason: CloseReason = DONE): Promise<void> {
    this.#closing ??= this.#leave(reason);
    return this.#closing;
  }

  // --- for calls: requests of ours to the server ---------------------------------------------------------------------

  /** Under the client's envelope. A Fault: the answer was no message. */
  ask(method: string, params: JsonObject, number?: number): { id: string; answer: Promise<Message | Fault> } {
    const id = String(this.#next++);
    const answer = new Promise<Message | Fault>((resolve) => this.#asked.set(id, resolve));
    const level = this.#level === undefined || method === LISTEN ? {} : { [META.logLevel]: this.#level };
    this.#server.send(requestMessage(id, method, withEnvelope(params, this.#envelope(), level), number));
    return { id, answer };
  }

  cancel(id: string, reason: string): void {
    if (!this.#asked.delete(id)) return;
    this.#server.send(notificationMessage(CANCELLED, { requestId: rawId(id), reason }));
  }

  /** A tool that can only run as a task runs as one, and the client waits for it. */
  #envelope(): ClientEnvelope {
    const extensions = objectOf(objectOf(this.#discovered.capabilities).extensions);
    if (extensions[TASKS] === undefined) return this.#client;
    const { capabilities, clientInfo } = this.#client;
    const ours = { ...objectOf(capabilities.extensions), [TASKS]: {} };
    return { capabilities: { ...capabilities, extensions: ours }, clientInfo };
  }

  // --- from the client ------------------------------------------------------------------------------------------------

  #request(message: Message): void {
    const { id = 'null', method = '' } = message;
    switch (method) {
      case 'initialize':
        void this.#initialize(message, id);
        return;
      case 'ping':
        this.#inbox.pushSoon(resultMessage(id, {}));
        return;
      case 'logging/setLevel':
        this.#setLevel(id, paramsOf(message).level);
        return;
      case 'resources/subscribe':
      case 'resources/unsubscribe':
        void this.#subscribe(id, method, paramsOf(message).uri);
        return;
      default:
        if (LEGACY_ONLY.has(method) || isTaskMethod(method))
          this.#refuse(id, 'method_not_found', `Method not found: ${method}`);
        else this.#call(message, id);
    }
  }

  #call(message: Message, id: string): void {
    const call = new LegacyCall({
      message,
      params: paramsOf(message),
      session: this,
      questions: this.#questions,
      progress: (progress) => this.#inbox.push(progress),
    });
    this.#calls.set(id, call);
    void call.run().then((outcome) => {
      if (this.#calls.get(id) === call) this.#calls.delete(id);
      if (outcome === undefined) return;
      if ('code' in outcome && 'preview' in outcome) this.#inbox.push({ ...outcome, id });
      else if ('result' in outcome) this.#inbox.push(resultMessage(id, legacyResult(outcome.result)));
      else this.#error(id, legacyError(outcome.error), outcome.ours);
    });
  }

  async #initialize(message: Message, id: string): Promise<void> {
    const params = paramsOf(message);
    const clientInfo = params.clientInfo === undefined ? undefined : objectOf(params.clientInfo);
    this.#client = { capabilities: objectOf(params.capabilities), clientInfo };
    const discovered = this.#known ?? (await this.#discover(id));
    this.#known = undefined;
    if (discovered === undefined) return;
    this.#discovered = discovered;
    const asked = LEGACY_VERSIONS.find((version) => version === params.protocolVersion) ?? LATEST_LEGACY_VERSION;
    this.#inbox.pushSoon(resultMessage(id, legacyWelcome(discovered, asked)));
  }

  /** undefined: the client was told why not. */
  async #discover(id: string): Promise<JsonObject | undefined> {
    const answer = await this.ask(DISCOVER, {}).answer;
    if ('preview' in answer) {
      this.#inbox.push({ ...answer, id });
      return undefined;
    }
    const discovered = resultOf(answer);
    if (discovered !== undefined) return discovered;
    const error = errorOf(answer) ?? { code: CODES.unsupportedVersion, message: 'the server told no reason' };
    this.#error(id, legacyError(error));
    return undefined;
  }

  #setLevel(id: string, level: unknown): void {
    if (typeof level === 'string' && LOG_LEVELS.includes(level)) {
      this.#level = level;
      this.#inbox.pushSoon(resultMessage(id, {}));
    } else {
      this.#refuse(id, 'invalid_params', 'no such log level');
    }
  }

  async #subscribe(id: string, method: string, uri: unknown): Promise<void> {
    if (typeof uri !== 'string') {
      this.#refuse(id, 'invalid_params', 'the request needs a uri');
      return;
    }
    const refused = await (method === 'resources/subscribe' ? this.#listener.add(uri) : this.#listener.delete(uri));
    if (refused === undefined) this.#inbox.push(resultMessage(id, {}));
    else this.#refuse(id, 'invalid_params', refused);
  }

  #notification(message: Message): void {
    if (message.method === 'notifications/initialized') {
      if (this.#listens) this.#listener.begin(objectOf(this.#discovered.capabilities));
    } else if (message.method === CANCELLED) {
      const params = paramsOf(message);
      const id = stringifyExact(params.requestId ?? null);
      this.#calls.get(id)?.cancel(typeof params.reason === 'string' ? params.reason : 'the client cancelled');
      this.#calls.delete(id);
    } else if (!UNSAID.has(message.method ?? '')) {
      this.#server.send(message);
    }
  }

  // --- from the server ------------------------------------------------------------------------------------------------

  #fromServer(message: Message): void {
    if (message.kind === 'response') {
      const resolve = this.#asked.get(message.id ?? 'null');
      this.#asked.delete(message.id ?? 'null');
      resolve?.(message);
    } else if (message.kind === 'notification' && message.method !== ACKNOWLEDGED) {
      this.#news(message);
    } else if (message.kind === 'notification') {
      this.#listener.acknowledged(paramsOf(message));
    }
  }

  #news(message: Message): void {
    if (message.method === CANCELLED) return;
    const subscribed = message.bytes.includes(META.subscription);
    if (!subscribed) {
      this.#inbox.push(message);
      return;
    }
    const params = paramsOf(message);
    const { [META.subscription]: _id, ...meta } = metaOf(params);
    const { _meta, ...rest } = params;
    const said = Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
    this.#inbox.push(notificationMessage(message.method ?? '', Object.keys(said).length === 0 ? undefined : said));
  }

  #fault(fault: Fault): void {
    const resolve = fault.id === undefined ? undefined : this.#asked.get(fault.id);
    if (resolve === undefined || fault.id === undefined || fault.kind === 'notification') {
      this.#inbox.push({ ...fault, id: undefined });
      return;
    }
    this.#asked.delete(fault.id);
    resolve(fault);
  }

  #error(id: string, error: RpcErrorValue, ours?: RpcErrorName): void {
    this.#inbox.push({ ...toMessage({ jsonrpc: '2.0', id: rawId(id), error }), ...(ours && { ours }) });
  }

  #refuse(id: string, name: RpcErrorName, text: string): void {
    this.#inbox.pushSoon(errorMessage(id, name, text));
  }

  #end(): void {
    this.#listener.close();
    this.#questions.close();
    this.#asked.clear();
  }

  async #leave(reason: CloseReason): Promise<void> {
    for (const call of this.#calls.values()) call.cancel('the session ended');
    this.#calls.clear();
    this.#end();
    await this.#server.close(reason);
    this.#inbox.close(reason, { drop: true });
  }
}
