// Stage: questions of a modern server stand in its results (`input_required`, tasks) and go to the client with them. A rule
// that denies one takes the whole result: without its answer the call cannot go on. Each is recorded before it is shown; its
// answer comes with another call and is on record there.

import { parseMessage } from '@mcp-overlay/relay';
import type { Decision, PermittedCall, Reply } from '../call/call.ts';
import { deny } from '../call/denial.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import type { Stage } from '../call/stage.ts';
import { recordQuestion } from './asks.ts';
import type { CallAudit } from './calls.ts';
import { notRecorded } from './intent.ts';

export type JudgeAsk = (backend: string, method: string, params: JsonObject) => Decision;

export interface QuestionsOptions {
  readonly audit: CallAudit | undefined;
  /** undefined: there are no rules. */
  readonly judgeAsk: JudgeAsk | undefined;
}

const SPELT = Buffer.from('"inputRequests"');

export function questions({ audit, judgeAsk }: QuestionsOptions): Stage<PermittedCall> {
  if (!audit && !judgeAsk) return (next) => next;
  return (next) => async (call) => {
    const reply = await next(call);
    const backend = call.backend.id;
    for (const { method, params } of questionsIn(reply)) {
      const decision = judgeAsk?.(backend, method, params);
      const denied = decision?.allow === false;
      const recorded = !audit || (await recordQuestion(audit, { backend, method, params, decision }));
      if (denied)
        return deny('refused', `backend ${backend} asked for ${method}, which its rules do not let it`, { backend });
      if (!recorded) return notRecorded();
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
