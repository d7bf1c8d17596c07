// A time limit and a caller's signal as one AbortSignal, which forgets the caller's signal when it is done: those live long.

import { ZitiError, type ZitiErrorCode } from '../errors.ts';

export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #outer: AbortSignal | undefined;
  readonly #onOuter: () => void;
  readonly ms: number;
  /** What is being waited for, for the message of a time-out. */
  stage: string;

  /** Its reasons are ZitiErrors: `late` after `ms`, `aborted` when `signal` says so. */
  constructor(options: {
    ms: number;
    late: ZitiErrorCode;
    what: string;
    stage: string;
    signal: AbortSignal | undefined;
  }) {
    const { ms, late, what, signal } = options;
    this.ms = ms;
    this.stage = options.stage;
    this.#outer = signal;
    this.#onOuter = () => {
      this.#controller.abort(new ZitiError('aborted', `${what} was given up by its caller`, { cause: signal?.reason }));
    };
    this.#timer = setTimeout(() => {
      this.#controller.abort(new ZitiError(late, `${what} took longer than ${ms} ms: ${this.stage}`));
    }, ms);
    if (signal?.aborted) this.#onOuter();
    else signal?.addEventListener('abort', this.#onOuter, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends everything that waits for it. */
  abort(reason: ZitiError): void {
    this.#controller.abort(reason);
  }

  /** The promise's result, or the reason for which nobody waits for it any more; a later rejection is nobody's. */
  race<T>(promise: Promise<T>): Promise<T> {
    return withSignal(promise, this.signal);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onOuter);
  }
}

export function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    const settle = (): void => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(settle);
  });
}
