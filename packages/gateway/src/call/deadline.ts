// Stage: a call may take so long without progress; then its backend is told to cancel and the client gets an error.

import type { Call, Reply } from './call.ts';
import { deny } from './denial.ts';
import type { Stage } from './stage.ts';

export function deadline(callTimeoutMs: number): Stage<Call> {
  return (next) => (call) =>
    new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      const arm = (): void => {
        clearTimeout(timer);
        const afterMs = call.trail.callTimeoutMs ?? callTimeoutMs;
        timer = setTimeout(() => {
          resolve(tooLong(call, afterMs));
          call.cancel.fire(`no answer and no progress for ${afterMs / 1000} s`);
        }, afterMs);
      };
      call.trail.onProgress = arm;
      arm();
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
