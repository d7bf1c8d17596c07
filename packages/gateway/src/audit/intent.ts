// Stage: the decided call goes on record before its backend sees it. Innermost but dispatch, so that nothing can still
// change what was recorded. A call that cannot be recorded is not passed on, where the log says so (`on_failure`).

import type { PermittedCall, Reply } from '../call/call.ts';
import { deny } from '../call/denial.ts';
import type { Stage } from '../call/stage.ts';
import { argsOf, type CallAudit, factsOf, isRecorded, recordIntent } from './calls.ts';

export function intent(audit: CallAudit | undefined): Stage<PermittedCall> {
  if (!audit) return (next) => next;
  return (next) => async (call) => {
    if (!isRecorded(call.method)) return next(call);
    const { method, native, trail } = call;
    if (await recordIntent(audit, factsOf(call), argsOf(method, native), trail)) return next(call);
    return notRecorded();
  };
}

/** Nothing ran. */
export function notRecorded(): Reply {
  const text =
    'the call was not passed on: the gateway cannot write its audit log, and nothing passes unrecorded; its operator sees why with mcp-gateway status';
  return deny('audit_unavailable', text, { ran: false });
}
