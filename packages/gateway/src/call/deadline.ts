// Stage: a call may take so long without progress; then its backend is told to cancel and the client gets an error.

import type { Call, Reply } from './call.ts';
import { deny } from './denial.ts';
import type { Stage } from './stage.ts';

export function deadline(callTimeoutMs: number): Stage<Call> {
  return (next) => async (call) => {
    let timer: NodeJS.Timeout | undefined;
    let expire: (reply: Reply) => void = () => {};
    const expired = new Promise<Reply>((resolve) => {
      expire = resolve;
    });
    const arm = (): void => {
      clearTimeout(timer);
      const afterMs = call.trail.callTimeoutMs ?? callTimeoutMs;
      timer = setTimeout(() => {
        expire(tooLong(call, afterMs));
        call.cancel.fire(`no answer and no progress for ${afterMs / 1000} s`);
      }, afterMs);
    };
    call.trail.onProgress = arm;
    arm();
    try {
      return await Promise.race([expired, next(call)]);
    } finally {
      clearTimeout(timer);
    }
  };
}

function tooLong(call: Call, afterMs: number): Reply {
  const backend = call.trail.backend;
  const who = backend === undefined ? 'the gateway' : `backend ${backend}`;
  const text = `${who} gave no answer and no progress for ${afterMs / 1000} s; it was told to cancel, whether it did is unknown`;
  return deny('call_timeout', text, { ...(backend === undefined ? {} : { backend }), afterMs });
}
