// The road of every request, outermost first. The order is the meaning:
//   limit      before anything costs something
//   deadline   counts the time a client waits, whatever is slow
//   fanOut     takes the requests that concern every backend
//   route      finds the owner and its own name for the target; permission binds to that name, never to the public one
//   authorize  lets through or answers like unknown; after it a call carries a permit
//   scrub      what is known to be let through, in the backend's own names; below it stands what really goes down and comes up
//   dispatch   the backend; takes nothing without a permit
// Audit will stand outermost, intent between scrub and dispatch.

import type { Limits } from '@mcp-overlay/relay';
import type { Call } from './call/call.ts';
import { deadline } from './call/deadline.ts';
import type { Next } from './call/stage.ts';
import { authorize } from './policy/authorize.ts';
import type { ToolFilter } from './policy/filter.ts';
import { type CallGauge, limit, type SessionGauge } from './policy/limit.ts';
import { type DispatchOptions, dispatch } from './routing/dispatch.ts';
import { type FanOutOptions, fanOut } from './routing/fan-out.ts';
import { type RouterOptions, route } from './routing/router.ts';
import type { SessionScrub } from './scrub/session-scrub.ts';
import { scrub } from './scrub/stage.ts';

export interface PipelineOptions extends RouterOptions, FanOutOptions, DispatchOptions {
  readonly gauge: CallGauge;
  readonly sessionGauge?: SessionGauge;
  readonly limits: Limits;
  readonly callTimeoutMs: number;
  readonly filters: ReadonlyMap<string, ToolFilter>;
  /** Absent: nothing is looked through. */
  readonly scrub?: SessionScrub | undefined;
}

export function pipeline(o: PipelineOptions): Next<Call> {
  return limit(
    o.gauge,
    o.limits,
    o.sessionGauge,
  )(deadline(o.callTimeoutMs)(fanOut(o)(route(o)(authorize(o.filters)(scrub(o.scrub)(dispatch(o)))))));
}
