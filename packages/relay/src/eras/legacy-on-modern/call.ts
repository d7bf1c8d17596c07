// One request of a legacy client at a modern server, until it is complete: what the server asks meanwhile is asked of the
// client and the request sent again with the answers (MRTR); a task is waited for.

import { setTimeout as delay } from 'node:timers/promises';
import { RPC_ERRORS, type RpcErrorName } from '../../errors.ts';
import { notificationMessage } from '../../json-rpc.ts';
import type { Fault, Message } from '../../message.ts';
import { asString, errorOf, type JsonObject, metaOf, objectOf, type RpcErrorValue, resultOf } from '../envelope.ts';
import { PROGRESS } from '../methods.ts';
import type { Questions } from './questions.ts';

/** A server that asks on and on is stopped. */
const MAX_ROUNDS = 64;
/** Before a request is sent again for which nothing was asked, and between two looks at a task that names no interval. */
const PAUSE_MS = 500;
const MIN_POLL_MS = 50;
const MAX_POLL_MS = 60_000;

export interface CallSession {
  ask(method: string, params: JsonObject, number?: number): { id: string; answer: Promise<Message | Fault> };
  cancel(id: string, reason: string): void;
}

export interface LegacyCallOptions {
  readonly message: Message;
  readonly params: JsonObject;
  readonly session: CallSession;
  readonly questions: Questions;
  progress(message: Message): void;
}

export type Outcome =
  | { readonly result: JsonObject }
  /** `ours`: which of our own errors it is, for whoever has to know what it means for the call. */
  | { readonly error: RpcErrorValue; readonly ours?: RpcErrorName | undefined }
  | Fault;

export class LegacyCall {
  readonly #options: LegacyCallOptions;
  readonly #abort = new AbortController();
  /** Under way at the server: a request, and a task. */
  #open: string | undefined;
  #task: string | undefined;
  #told = 0;

  constructor(options: LegacyCallOptions) {
    this.#options = options;
  }

  /** undefined: the client took it back. */
  async run(): Promise<Outcome | undefined> {
    const { message, params } = this.#options;
    let more: JsonObject = {};
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const outcome = await this.#ask(message.method ?? '', { ...params, ...more }, message.call);
      if (outcome === undefined || !('result' in outcome)) return outcome;
      const { result } = outcome;
      if (result.resultType === 'task') return this.#wait(result);
      if (result.resultType !== 'input_required') return outcome;
      const answers = await this.#questions(result.inputRequests);
      if (answers === undefined || 'error' in answers) return answers;
      const state = result.requestState === undefined ? {} : { requestState: result.requestState };
      more = { ...(result.inputRequests === undefined ? {} : { inputResponses: answers.responses }), ...state };
    }
    return failed(`the server asked more than ${MAX_ROUNDS} times`);
  }

  cancel(reason: string): void {
    this.#abort.abort();
    if (this.#open !== undefined) this.#options.session.cancel(this.#open, reason);
    if (this.#task !== undefined) void this.#options.session.ask('tasks/cancel', { taskId: this.#task });
  }

  async #questions(requests: unknown) {
    if (Object.keys(objectOf(requests)).length > 0) {
      return this.#options.questions.ask(objectOf(requests), this.#abort.signal);
    }
    await this.#pause(PAUSE_MS);
    return this.#abort.signal.aborted ? undefined : { responses: {} };
  }

  /** Until the task has ended. */
  async #wait(created: JsonObject): Promise<Outcome | undefined> {
    const taskId = asString(created.taskId);
    if (taskId === undefined) return failed('the server made a task without an id');
    this.#task = taskId;
    const answered = new Set<string>();
    for (let task = created; ; ) {
      this.#tell(task);
      if (task.status === 'completed') return this.#over({ result: objectOf(task.result) });
      if (task.status === 'failed') return this.#over({ error: task.error as RpcErrorValue });
      if (task.status === 'cancelled') return this.#over(failed('the task was cancelled'));
      const requests = Object.entries(objectOf(task.inputRequests)).filter(([key]) => !answered.has(key));
      if (requests.length > 0) {
        const answers = await this.#options.questions.ask(Object.fromEntries(requests), this.#abort.signal);
        if (answers === undefined) return undefined;
        if ('error' in answers) {
          this.cancel('the client could not answer');
          return answers;
        }
        for (const [key] of requests) answered.add(key);
        await this.#ask('tasks/update', { taskId, inputResponses: answers.responses });
      }
      const wish = typeof task.pollIntervalMs === 'number' ? task.pollIntervalMs : PAUSE_MS;
      await this.#pause(Math.min(Math.max(wish, MIN_POLL_MS), MAX_POLL_MS));
      const outcome = await this.#ask('tasks/get', { taskId });
      if (outcome === undefined || !('result' in outcome)) return outcome;
      task = outcome.result;
    }
  }

  #over(outcome: Outcome): Outcome {
    this.#task = undefined;
    return outcome;
  }

  /** A client that asked for progress learns that its task lives. */
  #tell(task: JsonObject): void {
    const token = metaOf(this.#options.params).progressToken;
    if (token === undefined) return;
    this.#told += 1;
    const message = asString(task.statusMessage);
    const params = { progressToken: token, progress: this.#told, ...(message === undefined ? {} : { message }) };
    this.#options.progress(notificationMessage(PROGRESS, params));
  }

  async #ask(method: string, params: JsonObject, number?: number): Promise<Outcome | undefined> {
    if (this.#abort.signal.aborted) return undefined;
    const { id, answer } = this.#options.session.ask(method, params, number);
    this.#open = id;
    const said = await answer;
    this.#open = undefined;
    if (this.#abort.signal.aborted) return undefined;
    if ('preview' in said) return said;
    const result = resultOf(said);
    if (result !== undefined) return { result };
    return { error: errorOf(said) ?? failed('no result').error, ours: said.ours };
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#abort.signal }).catch(() => {});
  }
}

function failed(message: string): { readonly error: RpcErrorValue } {
  return { error: { code: RPC_ERRORS.internal_error, message } };
}
