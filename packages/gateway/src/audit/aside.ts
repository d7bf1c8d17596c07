// What reaches servers past the pipeline: notifications of a client that are not MCP's own, and subscriptions. On record
// like calls, before the servers see them.

import { newTrail } from '../call/call.ts';
import type { JsonObject } from '../call/json.ts';
import type { CallFacts, CallStatus } from './audit-log.ts';
import { argsOf, type CallAudit, recordIntent } from './calls.ts';

/** Sends it when it is on record. What cannot be recorded is not sent, and nobody waits for an answer. */
export async function recordNotification(
  audit: CallAudit,
  backend: string,
  method: string,
  params: JsonObject,
  send: () => void,
): Promise<void> {
  const facts: CallFacts = { method, backend, kind: 'method', target: method };
  const over = await begun(audit, facts, argsOf(method, params));
  if (!over) return;
  send();
  await over('ok');
}

/** undefined: it cannot be recorded. Otherwise says how it went. */
export function recordListen(
  audit: CallAudit,
  method: string,
  params: JsonObject,
): Promise<((status: CallStatus) => Promise<boolean>) | undefined> {
  return begun(audit, { method, kind: 'method', target: method }, argsOf(method, params));
}

/** It was not passed on: `why` is the limit it was over. What cannot be recorded is refused all the same. */
export async function recordRefusal(
  { log, actor }: CallAudit,
  method: string,
  params: JsonObject,
  why: string | undefined,
): Promise<void> {
  const facts: CallFacts = { method, kind: 'method', target: method };
  const outcome = { status: 'refused', code: 'limited', ...(why !== undefined && { why }), ms: 0, bytes: 0 } as const;
  try {
    await log.append({ type: 'call.outcome', ...actor, ...facts, args: argsOf(method, params), ...outcome });
  } catch {
    // The log tells its own trouble in its state.
  }
}

async function begun(
  audit: CallAudit,
  facts: CallFacts,
  args: unknown,
): Promise<((status: CallStatus) => Promise<boolean>) | undefined> {
  const trail = newTrail();
  if (!(await recordIntent(audit, facts, args, trail))) return undefined;
  const since = performance.now();
  return async (status) => {
    const { log, actor } = audit;
    const ms = Math.round((performance.now() - since) * 1000) / 1000;
    const of = trail.intent && { of: trail.intent.seq };
    try {
      await log.append({ type: 'call.outcome', ...actor, ...facts, ...of, status, ms, bytes: 0 });
      return true;
    } catch {
      return false;
    }
  };
}
