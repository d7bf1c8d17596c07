// Stage: a call may take so long without progress; then its backend is told to cancel and the client gets an error. Of a
// backend that cannot be reached nothing can be heard: where the way to it is broken at that moment it has as long again.

import type { Call, Reply } from './call.ts';
import { deny } from './denial.ts';
import type { Stage } from './stage.ts';

export function deadline(callTimeoutMs: number): Stage<Call> {
  return (next) => (call) =>
    new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const arm = (waitedMs: number): void => {
        clearTimeout(timer);
        const limitMs = call.trail.callTimeoutMs ?? callTimeoutMs;
        timer = setTimeout(() => {
          const afterMs = waitedMs + limitMs;
          if (waitedMs === 0 && call.trail.reachable?.() === false) return arm(afterMs);
          resolve(tooLong(call, afterMs));
          call.cancel.fire(`no answer and no progress for ${afterMs / 1000} s`);
        }, limitMs);
      };
      call.trail.onProgress = () => arm(0);
      arm(0);
      next(call).then(
        (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
        (error) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });
}

function tooLong(call: Call, afterMs: number): Reply {
  const backend = call.trail.backend;
  const who = backend === undefined ? 'the gateway' : `backend ${backend}`;
  const text = `${who} gave no answer and no progress for ${afterMs / 1000} s; it was told to cancel, whether it did is unknown`;
  return deny('call_timeout', text, { ...(backend === undefined ? {} : { backend }), afterMs });
}
