// What was spent of daily budgets, over restarts: a file of the state folder, written at most once a second and at the end.
// A day is one of UTC. A clock that is set back gives nothing back; one that is set forward begins a new day, once (T37).

import { join } from 'node:path';
import { readStateFile, stateFolder, writeStateFile } from '@mcp-overlay/overlay';
import { asObject } from '../call/json.ts';
import type { GatewayLog } from '../call/log.ts';
import { POLICY_CAPS } from './caps.ts';

const DAY_MS = 24 * 3600 * 1000;
const WRITE_MS = 1000;

export interface Spent {
  /** `wallMs`: milliseconds since 1970. */
  of(key: string, wallMs: number): number;
  /** Whether another key can be counted. */
  hasRoom(key: string): boolean;
  add(key: string, wallMs: number): void;
  /** Until the day is over. */
  restMs(wallMs: number): number;
  close(): Promise<void>;
}

export interface SpentOptions {
  /** undefined: gone with this process. */
  readonly share: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly log: GatewayLog;
}

/** Rejects where the file is broken: what it said may be that somebody has nothing left. */
export async function openSpent({ share, env, log }: SpentOptions): Promise<Spent> {
  if (share === undefined) return new DailyCounts(0, new Map(), undefined);
  const { budgets } = await stateFolder(env);
  const path = join(budgets, `${encodeURIComponent(share)}.json`);
  const { day, counts } = (await readStateFile(path, parse)) ?? { day: 0, counts: new Map<string, number>() };
  return new DailyCounts(day, counts, async (value) => {
    try {
      await writeStateFile(path, value);
    } catch (error) {
      log.warn({ error: String(error) }, 'daily budgets cannot be kept');
    }
  });
}

/** Of tests, and of shares that are gone with their gateway. */
export function forgetfulSpent(): Spent {
  return new DailyCounts(0, new Map(), undefined);
}

class DailyCounts implements Spent {
  private readonly write: ((value: unknown) => Promise<void>) | undefined;
  private readonly counts: Map<string, number>;
  private day: number;
  private dirty = false;
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(day: number, counts: Map<string, number>, write: ((value: unknown) => Promise<void>) | undefined) {
    this.day = day;
    this.counts = counts;
    this.write = write;
  }

  of(key: string, wallMs: number): number {
    this.turn(wallMs);
    return this.counts.get(key) ?? 0;
  }

  hasRoom(key: string): boolean {
    return this.counts.has(key) || this.counts.size < POLICY_CAPS.rememberedBudgets;
  }

  add(key: string, wallMs: number): void {
    this.turn(wallMs);
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    this.dirty = true;
    if (this.write === undefined) return;
    this.timer ??= setTimeout(() => this.flush(), WRITE_MS).unref();
  }

  restMs(wallMs: number): number {
    return Math.max(1, DAY_MS - (Math.floor(wallMs) % DAY_MS));
  }

  async close(): Promise<void> {
    clearTimeout(this.timer);
    this.flush();
    await this.writing;
  }

  private turn(wallMs: number): void {
    const day = Math.floor(wallMs / DAY_MS);
    if (day > this.day) this.counts.clear();
    this.day = day;
  }

  private flush(): void {
    this.timer = undefined;
    const { write } = this;
    if (!this.dirty || write === undefined) return;
    this.dirty = false;
    const value = { version: 1, day: dayText(this.day), spent: Object.fromEntries(this.counts) };
    this.writing = this.writing.then(() => write(value));
  }
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
