// Stage: looks through what a permitted call carries down, and what comes up. An error in here withholds the answer where
// something is configured to be done with it; it never lets pass what should have been changed.

import type { PermittedCall } from '../call/call.ts';
import type { Stage } from '../call/stage.ts';
import type { SessionScrub } from './session-scrub.ts';

export function scrub(session: SessionScrub | undefined): Stage<PermittedCall> {
  if (!session) return (next) => next;
  return (next) => async (call) => {
    const judged = session.down(call);
    const refused = judged instanceof Promise ? await judged : judged;
    return refused ?? session.up(call, await next(call));
  };
}
