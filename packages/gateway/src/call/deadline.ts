// Stage: a call may take so long without progress; then its backend is told to cancel and the client gets an error.

import type { Call, Reply } from './call.ts';
import { deny } from './denial.ts';
import type { Stage } from './stage.ts';

export function deadline(callTimeoutMs: number): Stage<Call> {
  return (next) => async (call) => {
    const timeout = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<Reply>((resolve) => {
      const arm = (): void => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          timeout.abort();
          resolve(tooLong(call, callTimeoutMs));
        }, callTimeoutMs);
      };
      call.trail.onProgress = arm;
      arm();
    });
    const onAbort = (): void => timeout.abort();
    call.signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([next({ ...call, signal: timeout.signal }), expired]);
    } finally {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', onAbort);
    }
  };
}

function tooLong(call: Call, afterMs: number): Reply {
  const backend = call.trail.backend;
  const who = backend === undefined ? 'the gateway' : `backend ${backend}`;
  const text = `${who} gave no answer and no progress for ${afterMs / 1000} s; it was told to cancel, whether it did is unknown`;
  return deny('call_timeout', text, { ...(backend === undefined ? {} : { backend }), afterMs });
}
