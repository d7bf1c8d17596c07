// What is known of each backend over all sessions: the latest evidence wins. Read by `status`.

export interface BackendHealth {
  readonly state: 'unknown' | 'starting' | 'up' | 'failing';
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string | undefined;
  /** open: it crashed too often and is left alone for a while. */
  readonly circuit: 'closed' | 'open';
  readonly restarts: number;
  readonly calls: number;
  readonly strayLines: number;
}

export class HealthRecord {
  private health: BackendHealth;
  private readonly now: () => number;

  constructor(now: () => number = Date.now) {
    this.now = now;
    const counts = { restarts: 0, calls: 0, strayLines: 0 };
    this.health = { state: 'unknown', since: now(), reason: undefined, circuit: 'closed', ...counts };
  }

  get(): BackendHealth {
    return this.health;
  }

  /** Returns whether this is news. */
  saw(state: BackendHealth['state'], reason?: string, givenUp = false): boolean {
    const news = state !== this.health.state;
    const circuit = givenUp ? 'open' : 'closed';
    this.health = { ...this.health, state, reason, circuit, since: news ? this.now() : this.health.since };
    return news;
  }

  count(what: 'restarts' | 'calls' | 'strayLines'): void {
    this.health = { ...this.health, [what]: this.health[what] + 1 };
  }
}
