// What one HTTP session has written to its peer and the peer has not taken: counted in bytes over all its responses.
// Above the soft mark the source is not read (`send` is false); above the hard one the session cannot be kept.

import type { ServerResponse } from 'node:http';
import type { Limits } from '../../limits.ts';
import { within } from '../../wait.ts';

export class Outflow {
  readonly #limits: Pick<Limits, 'softQueueBytes' | 'hardQueueBytes'>;
  readonly #onChange: () => void;
  readonly #responses = new Set<ServerResponse>();
  #waiting: (() => void)[] = [];

  constructor(limits: Pick<Limits, 'softQueueBytes' | 'hardQueueBytes'>, onChange: () => void = () => {}) {
    this.#limits = limits;
    this.#onChange = onChange;
  }

  /** Responses that are not over yet. */
  get responses(): ReadonlySet<ServerResponse> {
    return this.#responses;
  }

  get clear(): boolean {
    return this.#queued() < this.#limits.softQueueBytes;
  }

  get overfull(): boolean {
    return this.#queued() > this.#limits.hardQueueBytes;
  }

  add(response: ServerResponse): void {
    this.#responses.add(response);
    response.on('error', () => {});
    response.on('drain', () => this.#wake());
    response.on('close', () => {
      this.#responses.delete(response);
      this.#wake();
      this.#onChange();
    });
    this.#onChange();
  }

  /** Resolves when the peer has taken enough. */
  drained(): Promise<void> {
    return this.clear ? Promise.resolve() : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Ends what is open, gives it `graceMs` to go out, then cuts it. */
  async end(graceMs: number): Promise<void> {
    const open = [...this.#responses];
    const over = open.map((response) => new Promise<void>((resolve) => response.once('close', resolve)));
    for (const response of open) if (!response.writableEnded) response.end();
    await within(graceMs, Promise.all(over));
    for (const response of open) if (!response.closed) response.destroy();
  }

  #wake(): void {
    if (!this.clear) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #queued(): number {
    let bytes = 0;
    for (const response of this.#responses) bytes += response.writableLength;
    return bytes;
  }
}
