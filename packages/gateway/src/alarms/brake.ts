// Stage: a loop is slowed, then refused, and told why. Only where the configuration says so. Behind authorize: names are the
// backend's own, and what rules refuse is no loop. What is refused takes of no budget.

import type { LoopConfig } from '@mcp-overlay/config';
import type { PermittedCall, Reply } from '../call/call.ts';
import type { Cancel } from '../call/cancel.ts';
import { deny } from '../call/denial.ts';
import type { Stage } from '../call/stage.ts';
import { inWords } from './finding.ts';
import { fingerprint, rootOf } from './observed.ts';
import { Recent } from './recent.ts';

const STEP_MS = 1000;
const MOST_MS = 10_000;
const LIMIT = 'alarms.loop.refuse';

export interface BrakeClock {
  mono(): number;
  /** Resolves after so long. */
  wait(ms: number, cancel: Cancel): Promise<void>;
}

/** One for all sessions; undefined: nothing is held up. */
export class Brake {
  private readonly loop: LoopConfig;
  private readonly recent: Recent;
  private readonly clock: BrakeClock;

  private constructor(loop: LoopConfig, clock: BrakeClock) {
    this.loop = loop;
    this.recent = new Recent(loop.withinMs);
    this.clock = clock;
  }

  static of(loop: LoopConfig, clock: BrakeClock = systemBrakeClock()): Brake | undefined {
    return loop.slow === undefined && loop.refuse === undefined ? undefined : new Brake(loop, clock);
  }

  stage(principal: string): Stage<PermittedCall> {
    const ident = rootOf(principal);
    return (next) => async (call) => {
      if (call.method !== 'tools/call') return next(call);
      const { backend, target, native } = call;
      const key = `${ident}\n${backend.id}\n${target.name}\n${fingerprint(native.arguments)}`;
      const { count } = this.recent.add(key, this.clock.mono(), undefined);
      const { slow = Number.POSITIVE_INFINITY, refuse = Number.POSITIVE_INFINITY } = this.loop;
      if (count >= refuse) return this.refused(call, count);
      if (count >= slow) await this.clock.wait(Math.min(MOST_MS, (count - slow + 1) * STEP_MS), call.cancel);
      return call.cancel.cancelled ? cancelled() : next(call);
    };
  }

  private refused({ target, trail }: PermittedCall, count: number): Reply {
    const { withinMs } = this.loop;
    trail.limit = LIMIT;
    const text =
      `this call of ${target.name} with the same arguments was made ${count} times within ${inWords(withinMs)}, so it looks like a loop ` +
      'and was not passed on; repeating it changes nothing: change the arguments, do something else, or stop and ask';
    return deny('looping', text, { limit: LIMIT, count, retryAfterMs: withinMs });
  }
}

export function systemBrakeClock(): BrakeClock {
  return {
    mono: () => performance.now(),
    wait: (ms, cancel) =>
      new Promise((resolve) => {
        const over = (): void => {
          clearTimeout(timer);
          cancel.listen(undefined);
          resolve();
        };
        const timer = setTimeout(over, ms);
        cancel.listen(over);
      }),
  };
}

function cancelled(): Reply {
  return deny('internal_error', 'the call was cancelled while it was held up');
}
