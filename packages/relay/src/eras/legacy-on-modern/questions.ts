// What a modern server wants to know before it goes on (`inputRequests`), put to a legacy client as requests of their own.

import { RPC_ERRORS } from '../../errors.ts';
import { stringifyExact } from '../../json-exact.ts';
import { notificationMessage, rawId, requestMessage } from '../../json-rpc.ts';
import type { Message } from '../../message.ts';
import { CLIENT_CAPABILITY } from '../../methods.ts';
import { asString, errorOf, type JsonObject, objectOf, type RpcErrorValue, resultOf } from '../envelope.ts';
import { CANCELLED } from '../methods.ts';

export interface QuestionsOptions {
  capabilities(): JsonObject;
  /** To the client. */
  send(message: Message): void;
}

/** Of one client at a time. */
const MAX_OPEN = 1024;

export type Answers = { readonly responses: JsonObject } | { readonly error: RpcErrorValue };

export class Questions {
  readonly #options: QuestionsOptions;
  readonly #open = new Map<string, (answer: Message | undefined) => void>();
  #next = 0;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** All of them at once; the first refusal ends the others. undefined: taken back. */
  async ask(requests: JsonObject, signal: AbortSignal): Promise<Answers | undefined> {
    const asked = Object.entries(requests).map(([key, value]) => ({ key, request: objectOf(value) }));
    for (const { request } of asked) {
      const method = asString(request.method) ?? '';
      const needed = CLIENT_CAPABILITY[method];
      if (needed === undefined || this.#options.capabilities()[needed] === undefined) {
        const message = `the server asks ${method || 'nothing'}, which the client cannot answer`;
        return { error: { code: RPC_ERRORS.internal_error, message } };
      }
    }
    if (this.#open.size + asked.length > MAX_OPEN) {
      return { error: { code: RPC_ERRORS.busy, message: 'the client has too many questions to answer' } };
    }
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const responses: Record<string, unknown> = {};
    let failure: RpcErrorValue | undefined;
    await Promise.all(
      asked.map(async ({ key, request }) => {
        const answer = await this.#one(request, either);
        if (answer === undefined) return;
        const result = resultOf(answer);
        if (result !== undefined) responses[key] = result;
        else failure ??= errorOf(answer) ?? { code: RPC_ERRORS.internal_error, message: 'the client gave no answer' };
        if (result === undefined) stop.abort();
      }),
    );
    if (signal.aborted) return undefined;
    return failure === undefined ? { responses } : { error: failure };
  }

  /** The client's answer to one of them. */
  answer(message: Message): void {
    this.#open.get(message.id ?? 'null')?.(message);
  }

  close(): void {
    for (const resolve of this.#open.values()) resolve(undefined);
    this.#open.clear();
  }

  #one(request: JsonObject, signal: AbortSignal): Promise<Message | undefined> {
    return new Promise((resolve) => {
      const id = stringifyExact(this.#next++);
      const onAbort = (): void => {
        this.#options.send(notificationMessage(CANCELLED, { requestId: rawId(id), reason: 'the call was taken back' }));
        done(undefined);
      };
      const done = (answer: Message | undefined): void => {
        this.#open.delete(id);
        signal.removeEventListener('abort', onAbort);
        resolve(answer);
      };
      if (signal.aborted) return resolve(undefined);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#open.set(id, done);
      this.#options.send(requestMessage(id, asString(request.method) ?? '', request.params ?? {}));
    });
  }
}
