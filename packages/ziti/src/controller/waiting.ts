// Waiting that an AbortSignal can end.

import type { Clock } from '../clock.ts';
import { aborted } from './unanswered.ts';

/** What `promise` becomes, or `aborted` when the signal comes first; the work behind the promise goes on for others. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(aborted(signal.reason));
    const done = (): void => signal.removeEventListener('abort', onAbort);
    promise.finally(done).then(resolve, reject);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
}

export async function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  let cancel = (): void => {};
  const over = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  try {
    await abortable(over, signal);
  } finally {
    cancel();
  }
}
