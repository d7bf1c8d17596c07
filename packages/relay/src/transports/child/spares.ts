// Children that were started and never spoken to, kept for whoever comes next: a start costs a third of a second of a core.
// Invariant: a spare leaves here once, to one taker, and only to one who would have started the very same thing (program,
// arguments, environment, walls). It hears nothing before, and what changed its environment meanwhile ends it.

import { createHash } from 'node:crypto';
import type { Backoff } from './backoff.ts';
import type { ChildOptions, ChildTransport } from './child.ts';

/** A burst of sessions is not slowed by the spares that will follow it. */
const FILL_AFTER_MS = 1000;
/** There was no room for one; there may be by then. */
const LOOK_AGAIN_MS = 5000;
export const MAX_SPARES = 2;

export interface Spare<T> {
  /** `sameStart` of what it was started with. */
  readonly key: string;
  readonly child: ChildTransport;
  readonly with: T;
}

export interface SparesOptions<T> {
  readonly size: number;
  /** Starts one. */
  start(): Promise<Spare<T>>;
  /** Asked before each start. */
  allowed(): boolean;
  /** A server that does not stand being left alone is not started again and again. */
  readonly backoff: Backoff;
  readonly fillAfterMs?: number | undefined;
  readonly lookAgainMs?: number;
}

export class Spares<T> {
  readonly #options: SparesOptions<T>;
  readonly #waiting = new Set<Spare<T>>();
  readonly #ends = new Set<Promise<unknown>>();
  #starting = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: SparesOptions<T>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** The oldest that is the same; others are of no use to anybody any more. */
  take(key: string): Spare<T> | undefined {
    const all = [...this.#waiting];
    const found = all.find((spare) => spare.key === key);
    for (const spare of all) if (spare === found || spare.key !== key) this.#waiting.delete(spare);
    for (const spare of all) if (spare.key !== key) this.#end(spare);
    return found;
  }

  /** There will be as many as there should be, after a while. */
  fill(afterMs = this.#options.fillAfterMs ?? FILL_AFTER_MS): void {
    if (this.#closed || this.#timer !== undefined || this.#waiting.size + this.#starting >= this.#options.size) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#start();
    }, afterMs);
    this.#timer.unref();
  }

  /** Ends those that wait; more may come. */
  drop(): void {
    for (const spare of this.#waiting) this.#end(spare);
    this.#waiting.clear();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.drop();
    await Promise.all(this.#ends);
  }

  async #start(): Promise<void> {
    const { size, start, allowed, backoff, lookAgainMs = LOOK_AGAIN_MS } = this.#options;
    if (this.#closed || this.#waiting.size + this.#starting >= size) return;
    if (!allowed()) {
      this.fill(lookAgainMs);
      return;
    }
    this.#starting += 1;
    const starting = this.#startOne(start, backoff);
    this.#ends.add(starting);
    await starting;
    this.#ends.delete(starting);
    this.#starting -= 1;
    if (this.#waiting.size < size) this.fill(Math.max(backoff.next(), this.#options.fillAfterMs ?? FILL_AFTER_MS));
  }

  async #startOne(start: () => Promise<Spare<T>>, backoff: Backoff): Promise<void> {
    try {
      const spare = await start();
      if (this.#closed) {
        await spare.child.close();
        return;
      }
      this.#waiting.add(spare);
      backoff.note('ok');
      void spare.child.exited.then(() => {
        if (!this.#waiting.delete(spare)) return;
        // Nobody will read what it still said.
        this.#end(spare);
        backoff.note('crash');
        this.fill(backoff.next());
      });
    } catch {
      // Whoever starts one in earnest is told why.
      backoff.note('crash');
    }
  }

  #end(spare: Spare<T>): void {
    const ending = spare.child.close({ code: 'done', reason: 'a spare that nobody needs' });
    this.#ends.add(ending);
    void ending.then(() => this.#ends.delete(ending));
  }
}

/** Equal where two starts are the same. Secrets are among what is compared: a digest, so that none is kept longer. */
export function sameStart({ command, args, env, cwd, sandbox }: ChildOptions): string {
  const variables = Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = [command, args, variables, cwd ?? null, sandbox?.command ?? null, sandbox?.args ?? null];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}
