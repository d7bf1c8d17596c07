// The road of every request, outermost first. The order is the meaning:
//   audit      records what became of it, whatever that is, before the answer goes on
//   oneReading what can be read in two ways is not for judging
//   limit      before anything costs something: what the caller may use, and what the machine can bear
//   deadline   counts the time a client waits, whatever is slow
//   fanOut     takes the requests that concern every backend
//   route      finds the owner and its own name for the target; permission binds to that name, never to the public one
//   decoyed    a tool that is none answers here: no rule knows it, and no server has it
//   authorize  lets through or answers like unknown; after it a call carries a permit
//   brake      a loop is slowed and refused before it takes of any budget
//   budget     what is let through takes of the budgets of its backend and tool, in their own names
//   states     of a server, sealed for one caller and one call: what is another's is refused before anything is recorded as let through
//   questions  of the server, on their way up in its results: judged and recorded before the client sees them
//   scrub      what is known to be let through, in the backend's own names; what goes down is recorded as it goes, what comes
//              up is recorded and judged as the client sees it
//   intent     records the decided call before its effect; nothing behind it changes what was recorded
//   dispatch   the backend; takes nothing without a permit

import type { Limits } from '@mcp-overlay/relay';
import { decoyed } from './alarms/decoys.ts';
import type { CallAudit } from './audit/calls.ts';
import { intent } from './audit/intent.ts';
import { questions } from './audit/questions.ts';
import { audit } from './audit/stage.ts';
import type { Call, PermittedCall } from './call/call.ts';
import { deadline } from './call/deadline.ts';
import type { Next, Stage } from './call/stage.ts';
import { oneReading } from './call/twins.ts';
import type { Access } from './policy/access.ts';
import type { CallerLimits } from './policy/allowances.ts';
import { authorize } from './policy/authorize.ts';
import { budget } from './policy/budget.ts';
import { type CallGauge, limit, type SessionGauge } from './policy/limit.ts';
import { type DispatchOptions, dispatch } from './routing/dispatch.ts';
import { type FanOutOptions, fanOut } from './routing/fan-out.ts';
import { type RouterOptions, route } from './routing/router.ts';
import { type StatesOptions, states } from './routing/states.ts';
import type { SessionScrub } from './scrub/session-scrub.ts';
import { scrub } from './scrub/stage.ts';

export interface PipelineOptions extends RouterOptions, FanOutOptions, DispatchOptions, StatesOptions {
  readonly gauge: CallGauge;
  readonly sessionGauge?: SessionGauge;
  readonly limits: Limits;
  readonly callTimeoutMs: number;
  readonly access: Access;
  /** Absent: the caller is not limited. */
  readonly caller: CallerLimits | undefined;
  /** undefined: nothing is recorded. */
  readonly audit: CallAudit | undefined;
  /** Absent: nothing is looked through. */
  readonly scrub?: SessionScrub | undefined;
  /** Absent: loops are not held up. */
  readonly brake?: Stage<PermittedCall> | undefined;
}

export function pipeline(o: PipelineOptions): Next<Call> {
  const recorded = audit(o.audit, o.era);
  const limited = limit(o.gauge, o.limits, o.sessionGauge, o.caller);
  const brake = o.brake ?? ((next) => next);
  const permitted = brake(budget(o.caller)(states(o)(questions(o)(scrub(o.scrub)(intent(o.audit)(dispatch(o)))))));
  const judged = decoyed(o.catalog.isDecoy)(authorize(o.access)(permitted));
  return recorded(oneReading(limited(deadline(o.callTimeoutMs)(fanOut(o)(route(o)(judged))))));
}
