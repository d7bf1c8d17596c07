// What servers ask of clients (sampling, elicitation, roots) goes on record like calls the other way round: asked before the
// client sees it, its answer before the server does. `from: 'backend'` tells them from calls.

import { type Message, parseMessage, payloadOf } from '@mcp-overlay/relay';
import { newTrail } from '../call/call.ts';
import { asObject, type JsonObject } from '../call/json.ts';
import type { CallFacts } from './audit-log.ts';
import { argsOf, type CallAudit, isRecorded, recordIntent } from './calls.ts';

export interface Ask {
  readonly backend: string;
  readonly method: string;
  readonly params: JsonObject;
  /** A rule does not let it ask. */
  readonly denied?: boolean;
}

/** A question that is on record, until its answer is too. */
export interface RecordedAsk {
  /** Resolves whether it is on record. `answer` undefined: the server took the question back, or the session ended. */
  answered(answer: Message | undefined): Promise<boolean>;
}

/** undefined: it cannot be recorded, and must not be asked. */
export async function recordAsk(audit: CallAudit, ask: Ask): Promise<RecordedAsk | undefined> {
  if (!isRecorded(ask.method)) return { answered: async () => true };
  const trail = newTrail();
  if (!(await recordIntent(audit, factsOfAsk(ask), argsOf(ask.method, ask.params), trail))) return undefined;
  const since = performance.now();
  return {
    answered: async (answer) => {
      const result = answer && payloadOf(answer, 'result');
      const error = answer && !result ? asObject((parseMessage(answer) as { error?: unknown }).error) : undefined;
      const status = !answer ? 'cancelled' : result ? 'ok' : 'error';
      return recorded(audit, {
        ...factsOfAsk(ask),
        ...(trail.intent && { of: trail.intent.seq }),
        status,
        ...(error && { code: Number(error.code) }),
        ms: Math.round((performance.now() - since) * 1000) / 1000,
        bytes: result?.length ?? 0,
        ...(result && { result }),
      });
    },
  };
}

/** A question in one record: it is not let through, or its answer will come with another call. Resolves whether it is
 *  on record. */
export function recordQuestion(audit: CallAudit, ask: Ask): Promise<boolean> {
  const { method, params, denied } = ask;
  const said =
    denied === true
      ? ({ status: 'refused', code: 'refused' } as const)
      : ({ status: 'ok', code: 'input_required' } as const);
  return recorded(audit, {
    ...factsOfAsk(ask),
    ...said,
    args: argsOf(method, params),
    ms: 0,
    bytes: 0,
  });
}

type OutcomeFacts = Omit<
  Extract<Parameters<CallAudit['log']['append']>[0], { type: 'call.outcome' }>,
  'type' | 'session' | 'ident'
>;

async function recorded({ log, actor }: CallAudit, facts: OutcomeFacts): Promise<boolean> {
  try {
    await log.append({ type: 'call.outcome', ...actor, ...facts });
    return true;
  } catch {
    return false;
  }
}

function factsOfAsk({ backend, method, denied }: Ask): CallFacts {
  const decision = denied === true ? 'deny' : 'allow';
  return { method, backend, kind: 'method', target: method, from: 'backend', decision };
}
