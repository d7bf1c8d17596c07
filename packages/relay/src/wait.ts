// A wait that can be called off, so that what came early leaves no timer behind that keeps a process alive.

export interface Wait {
  readonly over: Promise<void>;
  cancel(): void;
}

export function wait(ms: number): Wait {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return { over, cancel: () => clearTimeout(timer) };
}

/** Whether the event came within the time. Infinity: it is waited for. */
export async function within(ms: number, event: Promise<unknown>): Promise<boolean> {
  if (ms === Number.POSITIVE_INFINITY) return event.then(() => true);
  const limit = wait(ms);
  try {
    return await Promise.race([event.then(() => true), limit.over.then(() => false)]);
  } finally {
    limit.cancel();
  }
}
