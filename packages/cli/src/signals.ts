// When a serving program ends: it is told to (SIGTERM, SIGINT, SIGHUP of a terminal that closes), or it lost what it
// serves. The orderly end is bounded by the program itself; a second SIGINT from an impatient person ends at once.

export interface EndSignal {
  readonly signal: AbortSignal;
  /** Resolves when the program is to end, with the error if something was lost. */
  readonly ended: Promise<Error | undefined>;
  lost(error: Error): void;
  /** Stops listening, so that the process can end by itself. */
  [Symbol.dispose](): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export function endSignal(): EndSignal {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted && name === 'SIGINT') process.exit(130);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    ended: new Promise((resolve) => {
      controller.signal.addEventListener(
        'abort',
        () => resolve(controller.signal.reason instanceof LostError ? controller.signal.reason.error : undefined),
        { once: true },
      );
    }),
    lost: (error) => controller.abort(new LostError(error)),
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}

class LostError extends Error {
  readonly error: Error;

  constructor(error: Error) {
    super(error.message);
    this.error = error;
  }
}
