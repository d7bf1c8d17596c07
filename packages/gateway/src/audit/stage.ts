// Stage, outermost: the outcome of every call goes on record before its answer goes on, whatever became of it: answered,
// refused, late, cancelled, a fault of ours. Where the log cannot be written and says that nothing goes on without it, the
// caller gets an error that says whether the call ran.

import { type Era, resultMetaOf, withResultMeta } from '@mcp-overlay/relay';
import type { AuditReceipt, Call, Reply } from '../call/call.ts';
import { deny } from '../call/denial.ts';
import { asObject } from '../call/json.ts';
import type { Next, Stage } from '../call/stage.ts';
import { argsOf, type CallAudit, factsOf, isRecorded } from './calls.ts';
import { notRecorded } from './intent.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import { receiptOver } from './receipt.ts';

/** In `_meta` of results. */
export const AUDIT_META = 'mcp-overlay/audit';

/** What the modern era wants of every result. */
const COMPLETE = { resultType: 'complete' } as const;

export function audit(options: CallAudit | undefined, era: Era | undefined): Stage<Call> {
  if (!options) return (next) => next;
  const complete = era === 'modern' ? COMPLETE : {};
  return (next) => async (call) => {
    const looks = !isRecorded(call.method);
    const since = performance.now();
    const reply = looks ? await next(call) : await answered(call, next, options);
    // Looking is no call, but to be refused for looking too often is something.
    if (looks && call.trail.limit === undefined) return reply;
    const outcome = outcomeOf(call, reply, complete);
    const recorded = await recordOutcome(options, call, outcome, performance.now() - since);
    if (!recorded) return call.trail.intent === undefined ? notRecorded() : withheld();
    return options.receipts && recorded.receipt ? withReceipt(outcome, recorded.receipt) : outcome.reply;
  };
}

/** A stage that fails lets nothing through: the caller gets an error like any other, and it is recorded like any other. */
async function answered(call: Call, next: Next<Call>, { warn }: CallAudit): Promise<Reply> {
  try {
    return await next(call);
  } catch (error) {
    warn({ method: call.method, error: String(error) }, 'internal error');
    return deny('internal_error', 'the gateway failed while it handled this request');
  }
}

/** undefined: it is not on record, and must not pass. No receipt: nor is it, but it may. */
async function recordOutcome(
  { log, actor }: CallAudit,
  call: Call,
  { status, code, payload }: Outcome,
  ms: number,
): Promise<{ readonly receipt: AuditReceipt | undefined } | undefined> {
  const { method, params, trail } = call;
  const of = trail.intent?.seq;
  const why = trail.limit ?? trail.decision?.why;
  try {
    const { session, ident } = actor;
    const { from, backend, kind, target, decision, rule, role, policy } = factsOf(call);
    const receipt = await log.append({
      type: 'call.outcome',
      session,
      ident,
      method,
      from,
      backend,
      kind,
      target,
      of,
      status,
      code,
      ms: Math.round(ms * 1000) / 1000,
      bytes: payload.length,
      why,
      decision,
      rule,
      role,
      policy,
      // What was never recorded on the way down.
      args: of === undefined ? argsOf(method, params) : undefined,
      result: status === 'ok' || status === 'error' ? payload : undefined,
    });
    return { receipt };
  } catch {
    return undefined;
  }
}

function withReceipt({ reply, ours }: Outcome, receipt: AuditReceipt): Reply {
  if ('answer' in reply) {
    const { answer } = reply;
    const own = receiptOver(receipt, resultMetaOf(answer, AUDIT_META));
    return { answer: withResultMeta(answer, AUDIT_META, JSON.stringify(own)) };
  }
  if (!('error' in reply) || !ours) return reply;
  const { error } = reply;
  const data = asObject(error.data);
  return { error: { ...error, data: { ...data, audit: receiptOver(receipt, JSON.stringify(data?.audit)) } } };
}

/** It ran, and nobody will be able to tell from the log how it ended. */
function withheld(): Reply {
  const text =
    'the call was passed on, and its answer is withheld: the gateway cannot write its audit log; do not repeat it before you have looked at its effect';
  return deny('audit_unavailable', text, { ran: true });
}
