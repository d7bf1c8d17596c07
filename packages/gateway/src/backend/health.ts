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
  /** Why a list of it is not shown, by list (`tools`), since it is in this state. */
  readonly incomplete: Readonly<Record<string, string>>;
}

export class HealthRecord {
  private health: BackendHealth;
  private readonly now: () => number;

  constructor(now: () => number = Date.now) {
    this.now = now;
    const counts = { restarts: 0, calls: 0, strayLines: 0, incomplete: {} };
    this.health = { state: 'unknown', since: now(), reason: undefined, circuit: 'closed', ...counts };
  }

  get(): BackendHealth {
    return this.health;
  }

  /** Returns whether this is news. */
  saw(state: BackendHealth['state'], reason?: string, givenUp = false): boolean {
    const news = state !== this.health.state;
    const circuit = givenUp ? 'open' : 'closed';
    const { since, incomplete } = news ? { since: this.now(), incomplete: {} } : this.health;
    this.health = { ...this.health, state, reason, circuit, since, incomplete };
    return news;
  }

  /** `why` undefined: the list came whole. */
  listed(list: string, why: string | undefined): void {
    const { [list]: _before, ...others } = this.health.incomplete;
    this.health = { ...this.health, incomplete: why === undefined ? others : { ...others, [list]: why } };
  }

  count(what: 'restarts' | 'calls' | 'strayLines'): void {
    this.health = { ...this.health, [what]: this.health[what] + 1 };
  }
}
