// The end of the pipeline: the permitted call goes to its backend under the backend's own names, and what comes back is
// made public again. A cancelled call is cancelled at its owner, and only there.

import { isRepeatable, type Message, parseMessage } from '@mcp-overlay/relay';
import type { PermittedCall, RpcError } from '../call/call.ts';
import { deny } from '../call/denial.ts';
import { asObject } from '../call/json.ts';
import type { Next } from '../call/stage.ts';
import { rewriterFor } from './rewrite.ts';
import type { TaskIds } from './task-ids.ts';
import type { UriNaming } from './uris.ts';

export interface DispatchOptions {
  readonly uris: UriNaming;
  readonly tasks: TaskIds;
  /** One backend: answers pass as they are. */
  readonly unchanged: boolean;
}

export function dispatch({ uris, tasks, unchanged }: DispatchOptions): Next<PermittedCall> {
  return async (call) => {
    const { backend, permit, method, native, message, signal } = call;
    const number = isRepeatable(method) ? undefined : message.call;
    const asked = backend.call(permit, method, native, number);
    const answer = await answerOrAbort(asked.answer, signal);
    if (answer === undefined) {
      backend.cancel(asked.id, 'the client gave the call up');
      return deny('internal_error', 'the call was cancelled');
    }
    if (unchanged) return { answer };
    const { result: raw, error } = parseMessage(answer) as { result?: unknown; error?: RpcError };
    const result = asObject(raw);
    if (!result)
      return error === undefined ? deny('internal_error', `backend ${backend.id} sent no result`) : { error };
    return { result: tasks.publish(backend.id, rewriterFor(uris, backend.id).result(result)) };
  };
}

function answerOrAbort(answer: Promise<Message>, signal: AbortSignal): Promise<Message | undefined> {
  return new Promise((resolve) => {
    const giveUp = (): void => resolve(undefined);
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    void answer.then((message) => {
      signal.removeEventListener('abort', giveUp);
      resolve(message);
    });
  });
}
