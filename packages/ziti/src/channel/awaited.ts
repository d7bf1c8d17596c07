// A promise that events settle, or a signal before them. Its one job: whatever comes first, the listeners are gone afterwards.

/** `start` attaches, calls `done` or `fail` later (never before it returns), and returns what detaches; that is told whether
 * the outcome was a failure. */
export function awaited<T>(
  signal: AbortSignal | undefined,
  start: (done: (value: T) => void, fail: (error: unknown) => void) => (failed: boolean) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let settled = false;
    const settle = (failed: boolean, tell: () => void): void => {
      if (settled) return;
      settled = true;
      signal?.removeEventListener('abort', onAbort);
      detach(failed);
      tell();
    };
    const onAbort = (): void => settle(true, () => reject(signal?.reason));
    const detach = start(
      (value) => settle(false, () => resolve(value)),
      (error) => settle(true, () => reject(error)),
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}
