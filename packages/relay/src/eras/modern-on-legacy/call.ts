// One modern request on a legacy session, which may live longer than the request: while the server waits for an answer of
// the client, the request ends with `input_required` and the call stays open, to be gone on with by the request that brings
// the answer. Order: run -> question -> suspend -> resume -> … -> answer.

import { RPC_ERRORS, type RpcErrorName } from '../../errors.ts';
import type { Fault, Message } from '../../message.ts';
import {
  asObject,
  asString,
  errorOf,
  type JsonObject,
  META,
  metaOf,
  missingCapability,
  objectOf,
  type RpcErrorValue,
  resultOf,
  withoutEnvelope,
} from '../envelope.ts';
import { HANDLE_MS } from './handle.ts';
import type { LegacyPeer, Question } from './peer.ts';
import { modernError, modernResult, urlQuestions } from './words.ts';

/** Questions that a server asks in one breath come in several reads; people and models answer in seconds. */
const SETTLE_MS = 25;

/** How one request of the client is answered. */
export interface Asker {
  result(result: JsonObject): void;
  /** `ours`: which of our own errors it is, for whoever has to know what it means for the call. */
  error(error: RpcErrorValue, ours?: RpcErrorName): void;
  fault(fault: Fault): void;
  progress(params: JsonObject): void;
}

export interface ModernCallOptions {
  readonly peer: LegacyPeer;
  readonly method: string;
  readonly params: JsonObject;
  readonly number: number | undefined;
  readonly capabilities: JsonObject;
  /** A handle by which the client goes on with this call. */
  suspend(call: ModernCall): string;
  /** The handle is of no use any more. */
  over(call: ModernCall): void;
}

type Answer =
  | { readonly result: JsonObject }
  | { readonly error: RpcErrorValue; readonly ours?: RpcErrorName | undefined }
  | Fault;

export class ModernCall {
  readonly method: string;
  readonly #options: ModernCallOptions;
  readonly #questions = new Map<string, Question>();
  /** URLs that the client visits before the call is made anew. */
  #visits: ReadonlyMap<string, JsonObject> = new Map();
  #asker: Asker | undefined;
  #progressToken: unknown;
  #answer: Answer | undefined;
  #suspending: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #task: string | undefined;
  #over = false;
  /** Of its open request at the server. */
  own: string | undefined;
  /** Ours, for its progress: the same as long as the call lives. */
  token: string | undefined;
  logLevel: string | undefined;

  constructor(options: ModernCallOptions) {
    this.#options = options;
    this.method = options.method;
  }

  /** A request of the client waits for it at the moment. */
  get active(): boolean {
    return this.#asker !== undefined;
  }

  /** A question of the server is on its way to the client. */
  get asks(): boolean {
    return this.#questions.size > 0;
  }

  async run(asker: Asker, params: JsonObject): Promise<void> {
    this.#serve(asker, params);
    const { peer } = this.#options;
    peer.add(this);
    if (this.logLevel !== undefined) await peer.wantLogs(this.logLevel);
    const name = asString(params.name);
    const asTask = this.method === 'tools/call' && name !== undefined && (await peer.runsAsTask(name));
    if (!this.#over) this.#send(asTask);
  }

  /** The request that brings answers. */
  resume(asker: Asker, params: JsonObject): void {
    clearTimeout(this.#expiry);
    this.#serve(asker, params);
    const responses = objectOf(params.inputResponses);
    for (const [key, question] of [...this.#questions]) {
      const response = asObject(responses[key]);
      if (response === undefined) continue;
      this.#questions.delete(key);
      this.#options.peer.respond(question, response);
    }
    if (this.#visits.size > 0) this.#visited(responses);
    else if (this.#answer !== undefined) this.#deliver();
    else if (this.#questions.size > 0) this.#suspend();
  }

  /** The server asks; told with what else it asks in the same breath. */
  question(key: string, question: Question): void {
    this.#questions.set(key, question);
    if (!this.active) return;
    clearTimeout(this.#suspending);
    this.#suspending = setTimeout(() => this.#suspend(), SETTLE_MS);
  }

  /** The server takes a question back. */
  forget(id: string): void {
    for (const [key, question] of this.#questions) if (question.id === id) this.#questions.delete(key);
  }

  progress(params: JsonObject): void {
    if (this.#asker === undefined || this.#progressToken === undefined) return;
    this.#asker.progress({ ...params, progressToken: this.#progressToken });
  }

  cancel(reason: string): void {
    const { peer } = this.#options;
    for (const question of this.#questions.values()) peer.refuse(question, 'the client took its call back');
    this.#questions.clear();
    if (this.own !== undefined) peer.cancel(this.own, reason);
    if (this.#task !== undefined) void peer.ask('tasks/cancel', { taskId: this.#task });
    this.drop();
  }

  /** Nobody waits and nothing more comes. */
  drop(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#suspending);
    clearTimeout(this.#expiry);
    this.#asker = undefined;
    this.#options.peer.delete(this);
    this.#options.over(this);
    // Those that nobody answered: another call may carry them.
    for (const question of this.#questions.values()) this.#options.peer.place(question);
    this.#questions.clear();
  }

  #serve(asker: Asker, params: JsonObject): void {
    this.#asker = asker;
    this.#progressToken = metaOf(params).progressToken;
    this.logLevel = asString(metaOf(params)[META.logLevel]);
  }

  #send(asTask: boolean): void {
    const { peer, params, number } = this.#options;
    const { inputResponses: _responses, requestState: _state, ...asked } = withoutEnvelope(params);
    const task = asTask ? { task: {} } : {};
    const { id, answer } = peer.ask(this.method, { ...this.#withToken(asked), ...task }, number);
    this.own = id;
    void answer.then((said) => this.#answered(said, asTask));
  }

  /** Tokens of many requests may be alike; ours are not. */
  #withToken(params: JsonObject): JsonObject {
    if (metaOf(params).progressToken === undefined) return params;
    this.token ??= this.#options.peer.nextToken();
    return { ...params, _meta: { ...metaOf(params), progressToken: Number(this.token) } };
  }

  #answered(said: Message | Fault, asTask: boolean): void {
    this.own = undefined;
    if (this.#over) return;
    if ('preview' in said) {
      this.#settle(said);
      return;
    }
    const result = resultOf(said);
    if (result === undefined) {
      const error = errorOf(said) ?? { code: RPC_ERRORS.internal_error, message: 'the server sent no result' };
      const urls = urlQuestions(error);
      if (urls.length > 0) this.#visit(urls);
      else this.#settle({ error: modernError(error), ours: said.ours });
      return;
    }
    const taskId = asTask ? asString(objectOf(result.task).taskId) : undefined;
    if (taskId === undefined) {
      this.#settle({ result: modernResult(this.method, result) });
      return;
    }
    this.#task = taskId;
    const { id, answer } = this.#options.peer.ask('tasks/result', { taskId });
    this.own = id;
    void answer.then((end) => {
      this.#task = undefined;
      this.#answered(end, false);
    });
  }

  #settle(answer: Answer): void {
    this.#answer = answer;
    if (!this.active) return;
    // What the server wants to know beside its answer is asked first: no later request may come that could carry it.
    if (this.#questions.size > 0) this.#suspend();
    else this.#deliver();
  }

  #deliver(): void {
    const asker = this.#asker;
    const answer = this.#answer;
    this.drop();
    if (answer === undefined) return;
    if ('result' in answer) asker?.result(answer.result);
    else if ('error' in answer) asker?.error(answer.error, answer.ours);
    else asker?.fault(answer);
  }

  #suspend(): void {
    clearTimeout(this.#suspending);
    if (this.#over || this.#asker === undefined || this.#questions.size === 0) return;
    this.#ask(Object.fromEntries([...this.#questions].map(([key, { request }]) => [key, request])));
  }

  #visit(urls: readonly JsonObject[]): void {
    if (objectOf(this.#options.capabilities.elicitation).url === undefined) {
      this.#settle({ error: missingCapability('elicitation.url', { elicitation: { url: {} } }) });
      return;
    }
    this.#visits = new Map(urls.map((url, at) => [`u${at + 1}`, url]));
    if (this.active) this.#ask(Object.fromEntries(this.#visits));
  }

  #visited(responses: JsonObject): void {
    const all = [...this.#visits.keys()].every((key) => objectOf(responses[key]).action === 'accept');
    const missing = [...this.#visits].filter(([key]) => asObject(responses[key]) === undefined);
    if (missing.length > 0) {
      this.#ask(Object.fromEntries(missing));
      return;
    }
    this.#visits = new Map();
    if (all) {
      this.#send(false);
      return;
    }
    this.#settle({
      error: { code: RPC_ERRORS.invalid_params, message: 'a URL that the server needs was not visited' },
    });
  }

  #ask(inputRequests: JsonObject): void {
    const asker = this.#asker;
    this.#asker = undefined;
    const requestState = this.#options.suspend(this);
    this.#expiry = setTimeout(() => this.cancel('the client did not go on with this call'), HANDLE_MS);
    asker?.result({ resultType: 'input_required', inputRequests, requestState });
  }
}
