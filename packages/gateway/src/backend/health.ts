// What is known of each backend over all sessions: the latest evidence wins. Read by `status`.

export interface BackendHealth {
  readonly state: 'unknown' | 'starting' | 'up' | 'failing';
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string | undefined;
  readonly restarts: number;
  readonly calls: number;
  readonly strayLines: number;
}

export class HealthRecord {
  private health: BackendHealth;
  private readonly now: () => number;

  constructor(now: () => number = Date.now) {
    this.now = now;
    this.health = { state: 'unknown', since: now(), reason: undefined, restarts: 0, calls: 0, strayLines: 0 };
  }

  get(): BackendHealth {
    return this.health;
  }

  /** Returns whether this is news. */
  saw(state: BackendHealth['state'], reason?: string): boolean {
    const news = state !== this.health.state;
    this.health = { ...this.health, state, reason, since: news ? this.now() : this.health.since };
    return news;
  }

  count(what: 'restarts' | 'calls' | 'strayLines'): void {
    this.health = { ...this.health, [what]: this.health[what] + 1 };
  }
}
