// Stage: what a caller may use, where the configuration limits it: over that it is refused at once, with when to come back.
// Then how many calls may be open at once, of one session and of all, which protects the machine: a call over that waits in
// a queue that is itself limited; where the machine can bear no more it is refused before all else (../overload).

import type { Limits } from '@mcp-overlay/relay';
import type { Call, Reply } from '../call/call.ts';
import type { Cancel } from '../call/cancel.ts';
import { deny } from '../call/denial.ts';
import { limited } from '../call/limited.ts';
import type { Stage } from '../call/stage.ts';
import type { CallerLimits } from './allowances.ts';

export type CallLimits = Pick<Limits, 'callsPerSession' | 'callsInAll' | 'callsQueued'>;

const RETRY_AFTER_MS = 1000;
const OVERLOADED = 'this gateway is overloaded and takes no new calls now; this one was not run, try again';

/** Shared by all sessions of a gateway. */
export interface CallGauge {
  open: number;
  readonly waiting: Set<() => boolean>;
  /** The machine cannot bear more: when to come again. */
  readonly overloaded?: (() => number | undefined) | undefined;
}

export interface SessionGauge {
  open: number;
}

export function callGauge(overloaded?: CallGauge['overloaded']): CallGauge {
  return { open: 0, waiting: new Set(), overloaded };
}

/** `session`: what counts as one, where several pipelines serve it. */
export function limit(
  gauge: CallGauge,
  limits: CallLimits,
  session: SessionGauge = { open: 0 },
  caller?: CallerLimits,
): Stage<Call> {
  const { callsPerSession, callsInAll, callsQueued } = limits;
  const admit = (): boolean => {
    if (session.open >= callsPerSession || gauge.open >= callsInAll) return false;
    session.open += 1;
    gauge.open += 1;
    return true;
  };
  const release = (): void => {
    session.open -= 1;
    gauge.open -= 1;
    for (const wake of gauge.waiting) {
      if (wake()) break;
    }
  };
  return (next) => async (call) => {
    const retryAfterMs = gauge.overloaded?.();
    if (retryAfterMs !== undefined) return deny('busy', OVERLOADED, { retryAfterMs });
    const passage = caller?.enter();
    if (passage && 'refused' in passage) return limited(call.trail, passage.refused);
    try {
      if (!admit()) {
        if (gauge.waiting.size >= callsQueued) return busy();
        if (!(await turn(gauge, admit, call.cancel))) return cancelled();
      }
      try {
        return await next(call);
      } finally {
        release();
      }
    } finally {
      passage?.release();
    }
  };
}

/** Whether the call's turn came before its client gave up. */
function turn(gauge: CallGauge, admit: () => boolean, cancel: Cancel): Promise<boolean> {
  return new Promise((resolve) => {
    const leave = (came: boolean): void => {
      gauge.waiting.delete(wake);
      cancel.listen(undefined);
      resolve(came);
    };
    const wake = (): boolean => {
      if (!admit()) return false;
      leave(true);
      return true;
    };
    gauge.waiting.add(wake);
    cancel.listen(() => leave(false));
  });
}

function busy(): Reply {
  return deny('busy', 'too many calls are waiting at this gateway; try again', { retryAfterMs: RETRY_AFTER_MS });
}

function cancelled(): Reply {
  return deny('internal_error', 'the call was cancelled while it waited');
}
