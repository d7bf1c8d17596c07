// A gateway that is leaving: since when, until when at most, what is still open. Told once; told again it can only be
// hurried.

import type { OpenRequest } from '../session/session.ts';
import type { Share } from '../share.ts';

export interface OpenAtSession extends OpenRequest {
  readonly session: number;
  readonly principal: string;
}

export interface DepartureStatus {
  /** ISO times. */
  readonly since: string;
  readonly until: string;
  /** Process id of who takes over, where it is known. */
  readonly successor: number | undefined;
  readonly open: readonly OpenAtSession[];
}

export interface LeaveOptions {
  readonly withinMs: number;
  readonly successor?: number | undefined;
  /** Why nobody can ask this gateway any more how its leaving goes; absent: one can. */
  readonly unanswering?: string | undefined;
}

export class Departure {
  readonly #share: Pick<Share, 'leave' | 'sessions'>;
  readonly #over = new AbortController();
  readonly #since = Date.now();
  #until = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #successor: number | undefined;
  /** Resolves with the number of calls that were open when the time was up. */
  readonly gone: Promise<number>;

  constructor(share: Pick<Share, 'leave' | 'sessions'>, options: LeaveOptions) {
    this.#share = share;
    this.hurry(options);
    const timeUp = new Promise<void>((resolve) => {
      this.#over.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.gone = Promise.race([share.leave(this.#over.signal), timeUp]).then(() => {
      clearTimeout(this.#timer);
      return this.open().length;
    });
  }

  /** An earlier end than was told before counts, a later one does not. */
  hurry({ withinMs, successor }: LeaveOptions): void {
    this.#successor ??= successor;
    const until = Date.now() + withinMs;
    if (until >= this.#until) return;
    this.#until = until;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#over.abort(), withinMs);
  }

  open(): OpenAtSession[] {
    return this.#share.sessions().flatMap(({ session }) => {
      const { number, principal } = session.info;
      return session.openRequests().map((request) => ({ session: number, principal: principal.id, ...request }));
    });
  }

  status(): DepartureStatus {
    return {
      since: new Date(this.#since).toISOString(),
      until: new Date(this.#until).toISOString(),
      successor: this.#successor,
      open: this.open(),
    };
  }
}
