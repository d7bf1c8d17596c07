// Stage: questions of a modern server stand in its results (`input_required`, tasks) and go to the client with them. Each is
// recorded before it is shown, or as refused where a rule denies it (authorize answers then). Its answer comes with another
// call and is on record there.

import { parseMessage } from '@mcp-overlay/relay';
import type { PermittedCall, Reply } from '../call/call.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import type { Stage } from '../call/stage.ts';
import { recordQuestion } from './asks.ts';
import type { CallAudit } from './calls.ts';
import { notRecorded } from './intent.ts';

export interface QuestionsOptions {
  readonly audit: CallAudit | undefined;
  /** What rules say of questions. */
  readonly access: { mayAsk(backend: string, method: string): boolean };
}

const SPELT = Buffer.from('"inputRequests"');

export function questions({ audit, access }: QuestionsOptions): Stage<PermittedCall> {
  if (!audit) return (next) => next;
  return (next) => async (call) => {
    const reply = await next(call);
    const backend = call.backend.id;
    for (const { method, params } of questionsIn(reply)) {
      const denied = !access.mayAsk(backend, method);
      if (!(await recordQuestion(audit, { backend, method, params, denied }))) return notRecorded();
    }
    return reply;
  };
}

function questionsIn(reply: Reply): { method: string; params: JsonObject }[] {
  if ('error' in reply) return [];
  if ('result' in reply) return questionsOf(reply.result);
  if (!reply.answer.bytes.includes(SPELT)) return [];
  return questionsOf(asObject((parseMessage(reply.answer) as { result?: unknown }).result) ?? {});
}

export function questionsOf(result: JsonObject): { method: string; params: JsonObject }[] {
  return Object.values(asObject(result.inputRequests) ?? {}).map((value) => {
    const request = asObject(value) ?? {};
    return { method: asString(request.method) ?? '', params: asObject(request.params) ?? {} };
  });
}
