// A token bucket in whole numbers: never more than `burst + rate · t` in any t. It counts in parts of a token, so that what a
// millisecond adds is a whole number of them, and nothing is lost or won by rounding. Its clock is the caller's, and must be
// one that nobody sets (T37).

export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

export class Bucket {
  /** What a millisecond adds. */
  private readonly perTick: number;
  /** What one call costs. */
  private readonly cost: number;
  private readonly full: number;
  private level: number;
  private at: number;

  constructor({ count, perMs }: Rate, burst: number, nowMs: number) {
    this.perTick = count;
    this.cost = perMs;
    this.full = burst * perMs;
    this.level = this.full;
    this.at = Math.floor(nowMs);
  }

  /** 0: one may be taken now. */
  waitMs(nowMs: number): number {
    this.fill(nowMs);
    return Math.max(0, Math.ceil((this.cost - this.level) / this.perTick));
  }

  /** Only after `waitMs` said 0. */
  take(): void {
    this.level -= this.cost;
  }

  /** Calls that may be made at once. */
  left(nowMs: number): number {
    this.fill(nowMs);
    return Math.floor(this.level / this.cost);
  }

  isFull(nowMs: number): boolean {
    this.fill(nowMs);
    return this.level === this.full;
  }

  private fill(nowMs: number): void {
    const now = Math.floor(nowMs);
    if (now <= this.at) return;
    this.level = Math.min(this.full, this.level + (now - this.at) * this.perTick);
    this.at = now;
  }
}
