// When a serving program is told to end: SIGTERM, SIGINT, SIGHUP (a terminal that closes). The first asks for an orderly
// end, whose time is bounded by the program; a second SIGINT from an impatient person ends at once.

export interface EndSignal {
  readonly signal: AbortSignal;
  /** Stops listening, so that the process can end by itself. */
  [Symbol.dispose](): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

export function endSignal(): EndSignal {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted && name === 'SIGINT') process.exit(130);
    controller.abort(name);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
