// One budget: its rate, what is open, what the day has left. It says first whether a call may pass and is told then that it
// did, so that a call which several budgets concern takes of all of them or of none.

import type { AllowanceConfig } from '@mcp-overlay/config';
import type { Refusal } from '../call/limited.ts';
import { Bucket } from './bucket.ts';
import type { LimitClock } from './clock.ts';
import type { Spent } from './spent.ts';

type Figure = 'rate' | 'concurrent' | 'daily';

/** `note` counts it, once it is what the caller is told. */
export type Refused = Refusal & { note(): void };

export interface MeterNames {
  /** `identities.alice` */
  readonly name: string;
  /** Whose; undefined: everybody's. */
  readonly who: string | undefined;
  /** Of the day's count. */
  readonly key: string;
}

/** For status: how much is used, and who was refused. */
export interface LimitRow {
  readonly limit: string;
  /** Whose; absent: everybody's. */
  readonly who?: string;
  readonly used: number;
  readonly of: number;
  /** Since it is counted. */
  readonly refused: number;
  readonly lastRefused?: string;
}

/** Nobody knows when an open call ends. */
const OPEN_RETRY_MS = 1000;
/** A row is told while it is as near to its limit, */
const NEAR = 0.8;
/** or as long after it refused something. */
const LATELY_MS = 10 * 60_000;

export class Meter {
  private readonly name: string;
  private readonly who: string | undefined;
  private readonly config: AllowanceConfig;
  private readonly bucket: Bucket | undefined;
  /** Of the day's count. */
  private readonly key: string;
  private readonly spent: Spent;
  private readonly clock: LimitClock;
  private readonly refusals = new Map<Figure, { count: number; mono: number; wall: number }>();
  private open = 0;

  constructor(names: MeterNames, config: AllowanceConfig, spent: Spent, clock: LimitClock) {
    this.name = names.name;
    this.who = names.who;
    this.key = names.key;
    this.config = config;
    this.spent = spent;
    this.clock = clock;
    const { rate, burst } = config;
    this.bucket = rate && new Bucket(rate, burst ?? rate.count, clock.mono());
  }

  /** Of what is over, that which lasts longest. undefined: it may pass. */
  refusal(): Refused | undefined {
    const waits = this.waits();
    let worst: { figure: Figure; retryAfterMs: number } | undefined;
    for (const [figure, retryAfterMs] of waits) {
      if (retryAfterMs > (worst?.retryAfterMs ?? 0)) worst = { figure, retryAfterMs };
    }
    if (!worst) return undefined;
    const { figure, retryAfterMs } = worst;
    return { limit: `${this.name}.${figure}`, retryAfterMs, note: () => this.note(figure) };
  }

  take(): void {
    this.bucket?.take();
    this.open += 1;
    if (this.config.daily !== undefined) this.spent.add(this.key);
  }

  release(): void {
    this.open -= 1;
  }

  /** Forgetting it gives nothing away: the day's count is kept elsewhere. */
  isIdle(): boolean {
    return this.open === 0 && (this.bucket?.isFull(this.clock.mono()) ?? true);
  }

  rows(): LimitRow[] {
    const { name, who, clock } = this;
    return this.usage().flatMap(([figure, used, of]) => {
      const refused = this.refusals.get(figure);
      const lately = refused !== undefined && clock.mono() - refused.mono < LATELY_MS;
      if (!lately && used < of * NEAR) return [];
      return [
        {
          limit: `${name}.${figure}`,
          ...(who !== undefined && { who }),
          used,
          of,
          refused: refused?.count ?? 0,
          ...(refused && { lastRefused: new Date(refused.wall).toISOString() }),
        },
      ];
    });
  }

  private note(figure: Figure): void {
    const { clock } = this;
    const count = (this.refusals.get(figure)?.count ?? 0) + 1;
    this.refusals.set(figure, { count, mono: clock.mono(), wall: clock.wall() });
  }

  private waits(): [Figure, number][] {
    const { config, bucket, clock, spent, key, open } = this;
    const waits: [Figure, number][] = [];
    if (bucket) waits.push(['rate', bucket.waitMs(clock.mono())]);
    if (config.concurrent !== undefined && open >= config.concurrent) waits.push(['concurrent', OPEN_RETRY_MS]);
    if (config.daily !== undefined) {
      const over = spent.of(key) >= config.daily || !spent.hasRoom(key);
      if (over) waits.push(['daily', spent.restMs()]);
    }
    return waits;
  }

  private usage(): [Figure, number, number][] {
    const { config, bucket, clock, spent, key, open } = this;
    const usage: [Figure, number, number][] = [];
    const burst = config.burst ?? config.rate?.count ?? 0;
    if (bucket) usage.push(['rate', burst - bucket.left(clock.mono()), burst]);
    if (config.concurrent !== undefined) usage.push(['concurrent', open, config.concurrent]);
    if (config.daily !== undefined) usage.push(['daily', spent.of(key), config.daily]);
    return usage;
  }
}
