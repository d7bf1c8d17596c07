// What was spent of daily budgets, over restarts: a file of the state folder, written at most once a second and at the end.
// A day is one of UTC. A clock that is set back and forth begins no day twice; one that was set too far forward and back again
// is believed after a day of a clock that nobody sets (T37).

import { budgetsPath, readStateFile, writeStateFile } from '@mcp-overlay/overlay';
import { asObject } from '../call/json.ts';
import type { GatewayLog } from '../call/log.ts';
import { POLICY_CAPS } from './caps.ts';
import type { LimitClock } from './clock.ts';

const DAY_MS = 24 * 3600 * 1000;
const WRITE_MS = 1000;

export interface Spent {
  of(key: string): number;
  /** Whether another key can be counted. */
  hasRoom(key: string): boolean;
  add(key: string): void;
  /** Until another day begins. */
  restMs(): number;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
  /** Another process counts from here on. */
  stopWriting(): void;
  /** Who counted before us wrote more since we read it: that and ours are one sum. */
  catchUp(): Promise<void>;
  close(): Promise<void>;
}

export interface SpentOptions {
  /** undefined: gone with this process. */
  readonly share: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly log: GatewayLog;
  readonly clock: LimitClock;
}

/** Rejects where the file is broken: what it said may be that somebody has nothing left. */
export async function openSpent({ share, env, log, clock }: SpentOptions): Promise<Spent> {
  if (share === undefined) return forgetfulSpent(clock);
  const path = await budgetsPath(share, env);
  const { day, counts } = (await readStateFile(path, parse)) ?? { day: 0, counts: new Map<string, number>() };
  return new DailyCounts(clock, day, counts, {
    read: () => readStateFile(path, parse),
    write: async (value) => {
      try {
        await writeStateFile(path, value);
      } catch (error) {
        log.warn({ error: String(error) }, 'daily budgets cannot be kept');
      }
    },
  });
}

interface CountsFile {
  read(): Promise<{ readonly day: number; readonly counts: ReadonlyMap<string, number> } | undefined>;
  write(value: unknown): Promise<void>;
}

/** Of tests, and of shares that are gone with their gateway. */
export function forgetfulSpent(clock: LimitClock): Spent {
  return new DailyCounts(clock, 0, new Map(), undefined);
}

class DailyCounts implements Spent {
  private readonly clock: LimitClock;
  private file: CountsFile | undefined;
  private readonly counts: Map<string, number>;
  /** As they were read. */
  private before: ReadonlyMap<string, number>;
  /** What is counted belongs to it; */
  private day: number;
  /** and is counted since then, as far as this process knows. */
  private since: number;
  private dirty = false;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(clock: LimitClock, day: number, counts: Map<string, number>, file: CountsFile | undefined) {
    this.clock = clock;
    this.day = day;
    this.since = clock.mono();
    this.counts = counts;
    this.before = new Map(counts);
    this.file = file;
  }

  of(key: string): number {
    this.turn();
    return this.counts.get(key) ?? 0;
  }

  hasRoom(key: string): boolean {
    return this.counts.has(key) || this.counts.size < POLICY_CAPS.rememberedBudgets;
  }

  add(key: string): void {
    this.turn();
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    this.dirty = true;
    if (this.file !== undefined) this.timer ??= setTimeout(() => this.flushSoon(), WRITE_MS).unref();
  }

  restMs(): number {
    const wall = Math.floor(this.clock.wall());
    const rest = this.day > dayOf(wall) ? DAY_MS - this.age() : DAY_MS - (wall % DAY_MS);
    return Math.max(1, Math.ceil(rest));
  }

  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.flushSoon();
    await this.writing;
  }

  stopWriting(): void {
    this.file = undefined;
  }

  async catchUp(): Promise<void> {
    const theirs = await this.file?.read();
    this.turn();
    if (theirs?.day !== this.day) return;
    for (const [key, count] of theirs.counts) {
      const more = count - (this.before.get(key) ?? 0);
      if (more > 0) this.counts.set(key, (this.counts.get(key) ?? 0) + more);
      this.dirty ||= more > 0;
    }
  }

  close(): Promise<void> {
    return this.flush();
  }

  private turn(): void {
    const day = dayOf(this.clock.wall());
    if (day === this.day || (day < this.day && this.age() < DAY_MS)) return;
    this.counts.clear();
    this.before = new Map();
    this.day = day;
    this.since = this.clock.mono();
  }

  private age(): number {
    return this.clock.mono() - this.since;
  }

  private flushSoon(): void {
    this.timer = undefined;
    const { file } = this;
    if (!this.dirty || file === undefined) return;
    this.dirty = false;
    const value = { version: 1, day: dayText(this.day), spent: Object.fromEntries(this.counts) };
    this.writing = this.writing.then(() => file.write(value));
  }
}

function dayOf(wallMs: number): number {
  return Math.floor(wallMs / DAY_MS);
}

function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

function parse(value: unknown): { day: number; counts: Map<string, number> } | undefined {
  const file = asObject(value);
  const spent = asObject(file?.spent);
  const day = typeof file?.day === 'string' ? Date.parse(file.day) / DAY_MS : Number.NaN;
  if (file?.version !== 1 || !spent || !Number.isInteger(day)) return undefined;
  const counts = Object.entries(spent);
  if (counts.length > POLICY_CAPS.rememberedBudgets) return undefined;
  const whole = counts.every(([, count]) => Number.isSafeInteger(count) && Number(count) >= 0);
  return whole ? { day, counts: new Map(counts.map(([key, count]) => [key, Number(count)])) } : undefined;
}
