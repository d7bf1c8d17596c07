// Starts the children of one server for callers of one seat: asks the circuit whether it is worth it, counts them, takes a
// spare where one waits, and tells the circuit what became of each. Whoever owns servers (a gateway, a bridge) has one of
// these for each seat. Order: prepare -> enter -> spare or spawn -> (spoke) -> ended.

import { RelayError } from '../../errors.ts';
import { createBackoff } from './backoff.ts';
import type { Attempt, Breaker } from './breaker.ts';
import { type ChildOptions, type ChildTransport, spawnChild } from './child.ts';
import type { Clock } from './rate.ts';
import { MAX_SPARES, type Spare, Spares, sameStart } from './spares.ts';

/** Of all starters of a program together. */
export interface ChildCount {
  count: number;
}

export type StartWith = Omit<ChildOptions, 'onSpoke' | 'onEnded'>;

export interface StarterOptions<T> {
  readonly name: string;
  readonly breaker: Breaker;
  readonly children: ChildCount;
  /** Children of the program; spares only up to half of it. */
  readonly most: number;
  /** 0 to 2 spares. */
  readonly warm?: number | undefined;
  /** All that a child is started with, read anew each time: a secret may have changed. `with` is what the taker needs too. */
  prepare(): Promise<{ readonly start: StartWith; readonly with: T }>;
  /** One process serves everybody: then it failed also if it died in the middle of its work. */
  oneForAll(): boolean;
  /** false: nobody will take spares. */
  wantsSpares?(): boolean;
  /** Each that ended by itself. */
  readonly onFailed?: (reason: string, stderr: string) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly fillAfterMs?: number;
}

export interface Taken<T> {
  readonly child: ChildTransport;
  readonly with: T;
}

interface Fate {
  attempt: Attempt | undefined;
}

export class Starter<T> {
  readonly #options: StarterOptions<T>;
  readonly #spares: Spares<T>;
  readonly #fates = new WeakMap<ChildTransport, Fate>();
  #running = 0;
  #closed = false;

  constructor(options: StarterOptions<T>) {
    this.#options = options;
    const { warm = 0, clock = () => performance.now(), random = Math.random, fillAfterMs } = options;
    this.#spares = new Spares({
      size: Math.min(warm, MAX_SPARES),
      start: () => this.#startSpare(),
      allowed: () => this.#mayKeepSpares(),
      backoff: createBackoff({ clock, random }),
      fillAfterMs,
    });
  }

  /** Children of this one that run, spares among them. */
  get running(): number {
    return this.#running;
  }

  get spares(): number {
    return this.#spares.size;
  }

  /** A child that was never spoken to. Rejects with RelayError `child_start_failed`, or with what `prepare` rejects with. */
  async start(): Promise<Taken<T>> {
    const { breaker, name, children, most } = this.#options;
    const { start, with: mine } = await this.#options.prepare();
    if (this.#closed) throw failed(`${name} did not start: it is ending`);
    const attempt = breaker.enter();
    if (attempt === undefined) throw leftAlone(name, breaker);
    const spare = this.#spares.take(sameStart(start));
    this.#spares.fill();
    if (spare !== undefined) {
      this.#follow(spare.child, attempt);
      return { child: spare.child, with: mine };
    }
    if (children.count >= most) {
      attempt.over();
      throw failed(
        `${name} is not started: ${most} servers run already`,
        'fewer sessions or fewer backends; each session starts its own servers',
      );
    }
    try {
      return { child: await this.#spawn(start, attempt), with: mine };
    } catch (error) {
      // Told already by its end, as a rule; an attempt without a fate would keep all others out.
      attempt.failed(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  /** Before anybody came. */
  warmUp(): void {
    this.#spares.fill(0);
  }

  /** Nobody will take them. */
  dropSpares(): void {
    this.#spares.drop();
  }

  /** Ends the spares; those that were taken are their takers'. */
  close(): Promise<void> {
    this.#closed = true;
    return this.#spares.close();
  }

  async #startSpare(): Promise<Spare<T>> {
    const { start, with: mine } = await this.#options.prepare();
    return { key: sameStart(start), child: await this.#spawn(start, undefined), with: mine };
  }

  #mayKeepSpares(): boolean {
    const { children, most, breaker, wantsSpares } = this.#options;
    return children.count < most / 2 && breaker.state().circuit === 'closed' && (wantsSpares?.() ?? true);
  }

  async #spawn(start: StartWith, attempt: Attempt | undefined): Promise<ChildTransport> {
    const { children, oneForAll, onFailed } = this.#options;
    const fate: Fate = { attempt };
    let spoke = false;
    const child: ChildTransport = spawnChild({
      ...start,
      onSpoke: () => {
        spoke = true;
        fate.attempt?.ok();
      },
      onEnded: ({ reason }, byOwner) => {
        if (!byOwner) onFailed?.(reason, child.stderrTail());
        // What one session did to its own server is no verdict on the server.
        if (byOwner || (spoke && !oneForAll())) fate.attempt?.over();
        else fate.attempt?.failed(reason);
      },
    });
    this.#fates.set(child, fate);
    children.count += 1;
    this.#running += 1;
    void child.exited.then(() => {
      children.count -= 1;
      this.#running -= 1;
    });
    await child.started;
    return child;
  }

  /** From here on its fate counts. */
  #follow(child: ChildTransport, attempt: Attempt): void {
    const fate = this.#fates.get(child);
    if (fate) fate.attempt = attempt;
  }
}

/** Without the time that is left: what is kept as a reason would be wrong a moment later. */
function leftAlone(name: string, breaker: Breaker): RelayError {
  return failed(`${name} is not started, it failed too often: ${breaker.state().reason ?? 'it ended'}`);
}

function failed(text: string, hint?: string): RelayError {
  return new RelayError('child_start_failed', text, hint === undefined ? {} : { hint });
}
