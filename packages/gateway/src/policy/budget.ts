// Stage: what a permitted call takes of the budgets of its backend and tool, which go by their own names. What it took of
// the caller's own budget (./limit.ts) it has spent, also if it is refused here.

import type { PermittedCall } from '../call/call.ts';
import { limited } from '../call/limited.ts';
import type { Stage } from '../call/stage.ts';
import type { CallerLimits } from './allowances.ts';

export function budget(caller: CallerLimits | undefined): Stage<PermittedCall> {
  if (!caller) return (next) => next;
  return (next) => async (call) => {
    const { backend, method, target, trail } = call;
    const passage = caller.spend(backend.id, method === 'tools/call' ? target.name : undefined);
    if ('refused' in passage) return limited(trail, passage.refused);
    try {
      return await next(call);
    } finally {
      passage.release();
    }
  };
}
