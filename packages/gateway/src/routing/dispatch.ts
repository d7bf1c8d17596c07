// The end of the pipeline: the permitted call goes to its backend under the backend's own names, and what comes back is
// made public again. A cancelled call is cancelled at its owner, and only there.

import { isRepeatable, type Message, parseMessage } from '@mcp-overlay/relay';
import type { PermittedCall, Reply, RpcError } from '../call/call.ts';
import type { Cancel } from '../call/cancel.ts';
import { deny } from '../call/denial.ts';
import { asObject, asString } from '../call/json.ts';
import type { Next } from '../call/stage.ts';
import { tagQuestions } from './questions.ts';
import { rewriterFor } from './rewrite.ts';
import type { TaskIds } from './task-ids.ts';
import type { OwnTasks } from './task-owners.ts';
import type { UriNaming } from './uris.ts';

const RETRY_AFTER_MS = 1000;
const TASK = Buffer.from('"taskId"');

export interface DispatchOptions {
  readonly uris: UriNaming;
  readonly tasks: TaskIds;
  readonly ownTasks?: OwnTasks | undefined;
  /** One backend: answers pass as they are. */
  readonly unchanged: boolean;
}

export function dispatch({ uris, tasks, ownTasks, unchanged }: DispatchOptions): Next<PermittedCall> {
  return async (call) => {
    const { backend, permit, method, native, message, cancel } = call;
    if (cancel.cancelled) return deny('internal_error', 'the call was cancelled before it was passed on');
    if (backend.stuck) return notReading(backend.id);
    const number = isRepeatable(method) ? undefined : message.call;
    const asked = backend.call(permit, method, tasks.nativeRelated(backend.id, native), number);
    const answer = await answerOrCancel(asked.answer, cancel);
    if (typeof answer === 'string') {
      backend.cancel(asked.id, answer);
      return deny('internal_error', `the call was cancelled: ${answer}`);
    }
    const maybeTask = ownTasks && method === 'tools/call' && answer.bytes.includes(TASK);
    if (unchanged && !maybeTask) return { answer };
    const { result: raw, error } = parseMessage(answer) as { result?: unknown; error?: RpcError };
    const result = asObject(raw);
    const taskId = maybeTask ? asString(result?.taskId ?? asObject(result?.task)?.taskId) : undefined;
    if (taskId !== undefined) ownTasks?.started(backend.id, taskId);
    if (unchanged) return { answer };
    if (!result) {
      if (error === undefined) return deny('internal_error', `backend ${backend.id} sent no result`);
      // What we said ourselves of a server is ours: it goes on record as such, and tells the number of that.
      return answer.ours === undefined ? { error, theirs: true } : { error };
    }
    const shown = tagQuestions(backend.id, rewriterFor(uris, backend.id).result(result));
    return { result: tasks.publish(backend.id, shown) };
  };
}

/** Queued on, it would be more than a queue may hold, and the server would be ended with all its calls. */
function notReading(backend: string): Reply {
  const text = `backend ${backend} does not read what is sent to it; the call was not passed on`;
  return deny('busy', text, { backend, retryAfterMs: RETRY_AFTER_MS });
}

/** A string: nobody waits any more, for this reason. */
function answerOrCancel(answer: Promise<Message>, cancel: Cancel): Promise<Message | string> {
  return new Promise((resolve) => {
    cancel.listen(resolve);
    void answer.then((message) => {
      cancel.listen(undefined);
      resolve(message);
    });
  });
}
