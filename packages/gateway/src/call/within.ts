// Patience for what may never come.

/** Whether it came in time. Infinity: it is waited for. */
export async function within(ms: number, awaited: Promise<unknown>): Promise<boolean> {
  if (ms === Number.POSITIVE_INFINITY) {
    await awaited;
    return true;
  }
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, ms));
  });
  try {
    return await Promise.race([awaited.then(() => true), enough]);
  } finally {
    clearTimeout(timer);
  }
}
