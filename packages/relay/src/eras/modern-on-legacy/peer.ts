// One legacy session that serves modern requests of clients with the same capabilities. It is initialised once, with those
// capabilities; each request is a call of its own on it (./calls.ts). What the server starts by itself is sorted here:
// questions to the call that waits, progress and log lines to those who asked, changes to subscriptions.

import { stringifyExact } from '../../json-exact.ts';
import {
  errorMessage,
  notificationMessage,
  parseMessage,
  rawId,
  requestMessage,
  resultMessage,
} from '../../json-rpc.ts';
import type { Fault, Message } from '../../message.ts';
import { CLIENT_CAPABILITY, LATEST_LEGACY_VERSION } from '../../methods.ts';
import { Subscriptions } from '../../shared/subscriptions.ts';
import type { SteadySession } from '../../steady/steady.ts';
import {
  arrayOf,
  asObject,
  asString,
  type ClientEnvelope,
  errorOf,
  type JsonObject,
  objectOf,
  paramsOf,
  type RpcErrorValue,
  resultOf,
} from '../envelope.ts';
import { ASKING, CANCELLED, LOG, LOG_LEVELS, PROGRESS, UPDATED } from '../methods.ts';
import type { ModernCall } from './call.ts';

/** How long a question that belongs to no call waits for one that can carry it. */
const HOMELESS_MS = 30_000;
const MAX_HOMELESS = 64;

export interface Question {
  /** Of the server's request. */
  readonly id: string;
  readonly request: JsonObject;
}

export interface Subscriber {
  event(method: string, params: JsonObject): void;
}

export interface LegacyPeerOptions {
  readonly steady: SteadySession;
  readonly client: ClientEnvelope;
  readonly by: JsonObject;
  /** What belongs to no call and no subscription, as it is. */
  notification(message: Message): void;
  /** It took initialize, in this revision. */
  onTaken(revision: string | undefined): void;
  onRefused(): void;
}

export class LegacyPeer {
  readonly #options: LegacyPeerOptions;
  readonly #steady: SteadySession;
  readonly #asked = new Map<string, (answer: Message | Fault) => void>();
  readonly #calls = new Set<ModernCall>();
  readonly #homeless: { readonly question: Question; readonly timer: NodeJS.Timeout }[] = [];
  readonly #subscriptions = new Subscriptions<Subscriber>();
  readonly #subscribers = new Set<Subscriber>();
  /** Tools that run only as tasks; undefined: not looked yet. */
  #taskTools: Promise<ReadonlySet<string>> | undefined;
  #level = LOG_LEVELS.length;
  #next = 1;
  #questions = 0;
  #capabilities: JsonObject = {};
  /** The server's answer to initialize. */
  readonly welcome: Promise<{ readonly result: JsonObject } | { readonly error: RpcErrorValue } | Fault>;

  constructor(options: LegacyPeerOptions) {
    this.#options = options;
    this.#steady = options.steady;
    this.#steady.start({
      message: (message) => this.#fromServer(message),
      fault: (fault) => this.#fault(fault),
      closed: () => {},
    });
    this.welcome = this.#greet();
  }

  get busy(): boolean {
    return this.#calls.size > 0 || this.#subscribers.size > 0;
  }

  get capabilities(): JsonObject {
    return this.#capabilities;
  }

  // --- for calls -------------------------------------------------------------------------------------------------------

  ask(
    method: string,
    params: JsonObject | undefined,
    number?: number,
  ): { id: string; answer: Promise<Message | Fault> } {
    const id = String(this.#next++);
    const answer = new Promise<Message | Fault>((resolve) => this.#asked.set(id, resolve));
    this.#steady.send(requestMessage(id, method, params, number));
    return { id, answer };
  }

  cancel(id: string, reason: string): void {
    if (!this.#asked.delete(id)) return;
    this.#steady.send(notificationMessage(CANCELLED, { requestId: rawId(id), reason }));
  }

  /** Unique among the calls of this session. */
  nextToken(): string {
    return String(this.#next++);
  }

  /** The client's answer to a question of the server. */
  respond({ id }: Question, result: JsonObject): void {
    this.#steady.send(resultMessage(id, result));
  }

  refuse({ id }: Question, text: string): void {
    this.#steady.send(errorMessage(id, 'internal_error', text));
  }

  add(call: ModernCall): void {
    this.#calls.add(call);
    if (!ASKING.has(call.method)) return;
    for (const { question, timer } of this.#homeless.splice(0)) {
      clearTimeout(timer);
      call.question(this.#key(), question);
    }
  }

  delete(call: ModernCall): void {
    this.#calls.delete(call);
  }

  /** Asks the server for log lines of this level, unless it sends more than that already. */
  async wantLogs(level: string): Promise<void> {
    const wanted = LOG_LEVELS.indexOf(level);
    if (wanted >= this.#level || this.#capabilities.logging === undefined) return;
    this.#level = wanted;
    await this.ask('logging/setLevel', { level }).answer;
  }

  /** Whether the server lets this tool run only as a task. */
  async runsAsTask(name: string): Promise<boolean> {
    const requests = objectOf(objectOf(this.#capabilities.tasks).requests);
    if (objectOf(requests.tools).call === undefined) return false;
    this.#taskTools ??= this.#lookForTasks();
    return (await this.#taskTools).has(name);
  }

  // --- subscriptions ---------------------------------------------------------------------------------------------------

  attach(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
  }

  /** Whether the server will tell of changes of this resource. */
  async subscribe(uri: string, subscriber: Subscriber): Promise<boolean> {
    if (!this.#subscriptions.has(uri)) {
      const answer = await this.ask('resources/subscribe', { uri }).answer;
      if ('preview' in answer || resultOf(answer) === undefined) return false;
    }
    this.#subscriptions.add(uri, subscriber);
    return true;
  }

  detach(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    for (const uri of this.#subscriptions.leave(subscriber)) void this.ask('resources/unsubscribe', { uri });
  }

  // --- life ------------------------------------------------------------------------------------------------------------

  pause(): void {
    this.#steady.pause();
  }

  resume(): void {
    this.#steady.resume();
  }

  drained(): Promise<void> {
    return this.#steady.drained();
  }

  async close(): Promise<void> {
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const call of calls) call.drop();
    for (const { timer } of this.#homeless.splice(0)) clearTimeout(timer);
    await this.#steady.close();
  }

  async #greet(): ReturnType<() => LegacyPeer['welcome']> {
    const { capabilities, clientInfo } = this.#options.client;
    const params = {
      protocolVersion: LATEST_LEGACY_VERSION,
      capabilities,
      clientInfo: clientInfo ?? this.#options.by,
    };
    const answer = await this.ask('initialize', params).answer;
    if ('preview' in answer) return answer;
    const result = resultOf(answer);
    if (result === undefined) {
      this.#options.onRefused();
      return { error: errorOf(answer) ?? { code: -32603, message: 'the server refused initialize' } };
    }
    this.#options.onTaken(asString(result.protocolVersion));
    this.#capabilities = objectOf(result.capabilities);
    this.#steady.send(notificationMessage('notifications/initialized'));
    return { result };
  }

  async #lookForTasks(): Promise<ReadonlySet<string>> {
    const found = new Set<string>();
    let cursor: unknown;
    do {
      const answer = await this.ask('tools/list', cursor === undefined ? {} : { cursor }).answer;
      const result = 'preview' in answer ? undefined : resultOf(answer);
      for (const item of arrayOf(result?.tools)) {
        const tool = objectOf(item);
        if (objectOf(tool.execution).taskSupport === 'required') found.add(asString(tool.name) ?? '');
      }
      cursor = result?.nextCursor === cursor ? undefined : result?.nextCursor;
    } while (typeof cursor === 'string');
    return found;
  }

  // --- from the server -------------------------------------------------------------------------------------------------

  #fromServer(message: Message): void {
    if (message.kind === 'request') this.#asks(message);
    else if (message.kind === 'notification') this.#news(message);
    else {
      const resolve = this.#asked.get(message.id ?? 'null');
      this.#asked.delete(message.id ?? 'null');
      resolve?.(message);
    }
  }

  #asks(message: Message): void {
    const { id = 'null', method = '' } = message;
    if (method === 'ping') {
      this.#steady.send(resultMessage(id, {}));
      return;
    }
    const needed = CLIENT_CAPABILITY[method];
    if (needed === undefined || this.#options.client.capabilities[needed] === undefined) {
      const text = needed === undefined ? `${method} cannot be asked` : `the client has no ${needed} capability`;
      this.#steady.send(errorMessage(id, 'method_not_found', text));
      return;
    }
    const { params } = parseMessage(message) as { params?: unknown };
    const question: Question = { id, request: { method, params: withoutToken(asObject(params) ?? {}) } };
    this.place(question, message.relatedTo);
  }

  /** Gives a question to a call that can carry it, or keeps it for the next. */
  place(question: Question, relatedTo?: string): void {
    const call = this.#owner(relatedTo);
    if (call !== undefined) call.question(this.#key(), question);
    else this.#keep(question);
  }

  /** Nothing in a question says which call it belongs to, unless the transport knows. Any call of the same client can carry
   *  it, the answer goes to the server either way; servers mostly ask in the order in which they were called. */
  #owner(relatedTo: string | undefined): ModernCall | undefined {
    const asking = [...this.#calls].filter(({ method }) => ASKING.has(method));
    const related = asking.find((call) => call.own !== undefined && call.own === relatedTo);
    const next = asking.find((call) => call.active && !call.asks);
    return related ?? next ?? asking.findLast((call) => call.active) ?? asking.at(-1);
  }

  #keep(question: Question): void {
    if (this.#homeless.length >= MAX_HOMELESS) {
      this.refuse(question, 'no call is open that could carry this question to the client');
      return;
    }
    const timer = setTimeout(() => {
      this.#homeless.splice(this.#homeless.indexOf(entry), 1);
      this.refuse(question, 'no call was open that could carry this question to the client');
    }, HOMELESS_MS);
    const entry = { question, timer };
    this.#homeless.push(entry);
  }

  #key(): string {
    this.#questions += 1;
    return `q${this.#questions}`;
  }

  #news(message: Message): void {
    switch (message.method) {
      case PROGRESS: {
        const params = paramsOf(message);
        for (const call of this.#calls) if (call.token === String(params.progressToken)) call.progress(params);
        return;
      }
      case LOG:
        this.#log(message);
        return;
      case CANCELLED: {
        const id = stringifyExact(paramsOf(message).requestId ?? null);
        for (const call of this.#calls) call.forget(id);
        return;
      }
      case UPDATED: {
        const params = paramsOf(message);
        const concerned = this.#subscriptions.concerned(String(params.uri));
        for (const subscriber of concerned) subscriber.event(UPDATED, params);
        return;
      }
      default:
        if (message.method?.endsWith('/list_changed') === true) {
          if (message.method === 'notifications/tools/list_changed') this.#taskTools = undefined;
          for (const subscriber of this.#subscribers) subscriber.event(message.method, paramsOf(message));
        } else if (!message.method?.startsWith('notifications/tasks/')) {
          this.#options.notification(message);
        }
    }
  }

  /** To the call that it belongs to, as far as that can be told, and only if it asked for lines as important as this. */
  #log(message: Message): void {
    const severity = LOG_LEVELS.indexOf(String(paramsOf(message).level));
    const active = [...this.#calls].filter((call) => call.active);
    const owner = active.find((call) => call.own !== undefined && call.own === message.relatedTo);
    const concerned = owner ? [owner] : active;
    const wanted = concerned.map(({ logLevel }) => (logLevel === undefined ? -1 : LOG_LEVELS.indexOf(logLevel)));
    if (wanted.length === 0 || wanted.includes(-1) || severity < Math.min(...wanted)) return;
    this.#options.notification(message);
  }

  #fault(fault: Fault): void {
    const resolve = fault.id === undefined ? undefined : this.#asked.get(fault.id);
    if (resolve === undefined || fault.id === undefined || fault.kind === 'notification') return;
    this.#asked.delete(fault.id);
    resolve(fault);
  }
}

/** Of a question that is no request of its own any more nobody tells the progress. */
function withoutToken(params: JsonObject): JsonObject {
  const { progressToken, ...meta } = objectOf(params._meta);
  if (progressToken === undefined) return params;
  const { _meta, ...rest } = params;
  return Object.keys(meta).length === 0 ? rest : { ...rest, _meta: meta };
}
