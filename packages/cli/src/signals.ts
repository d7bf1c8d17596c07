// When a serving program ends: it is told to (SIGTERM, SIGINT, SIGHUP of a terminal that closes), or it lost what it
// serves. The orderly end is bounded by the program itself; a second SIGINT from an impatient person ends at once.
// A program that can read its configuration again does so at SIGHUP, unless the terminal it was started in is gone.

import { closeSync, constants, openSync } from 'node:fs';

export interface EndSignal {
  readonly signal: AbortSignal;
  /** Resolves when the program is to end, with the error if something was lost. */
  readonly ended: Promise<Error | undefined>;
  lost(error: Error): void;
  /** Stops listening, so that the process can end by itself. */
  [Symbol.dispose](): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** `onHangup`: what SIGHUP means, where that is not the end. */
export function endSignal({ onHangup }: { readonly onHangup?: (() => void) | undefined } = {}): EndSignal {
  const controller = new AbortController();
  const hadTerminal = onHangup !== undefined && hasTerminal();
  const onSignal = (name: NodeJS.Signals): void => {
    if (name === 'SIGHUP' && onHangup && hasTerminal() === hadTerminal) {
      onHangup();
      return;
    }
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

/** One that was closed cannot be opened any more. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDWR | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}

class LostError extends Error {
  readonly error: Error;

  constructor(error: Error) {
    super(error.message);
    this.error = error;
  }
}
