// What alarms know over restarts: habits, what rang, what is silenced. A file of the state folder, written at most once in a
// few seconds and at the end: a gateway that is killed may ring once more, and never less.

import { join } from 'node:path';
import { readStateFile, stateFolder, writeStateFile } from '@mcp-overlay/overlay';
import { asObject } from '../call/json.ts';
import type { GatewayLog } from '../call/log.ts';
import { type Cause, readCauses } from './causes.ts';
import { readHabits } from './habits.ts';
import { readSilences, type Silence } from './silences.ts';

const WRITE_MS = 5000;

export interface Known {
  readonly habits: NonNullable<ReturnType<typeof readHabits>>;
  readonly causes: Map<string, Cause>;
  readonly silences: readonly Silence[];
}

/** Anything with something to write. */
interface Part {
  dirty: boolean;
  toJSON(): unknown;
}

export interface AlarmState {
  readonly known: Known;
  /** Something may have changed. */
  note(): void;
  /** What is written from now on. */
  keep(parts: Readonly<Record<'habits' | 'causes' | 'silences', Part>>): void;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
  /** Another process writes from here on. */
  stopWriting(): void;
  close(): Promise<void>;
}

export interface AlarmStateOptions {
  /** undefined: gone with this process. */
  readonly share: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  readonly log: GatewayLog;
}

/** Rejects `state_file_invalid`: what it said may be that something is silenced, or that nobody ever did this. */
export async function openAlarmState({ share, env, log }: AlarmStateOptions): Promise<AlarmState> {
  if (share === undefined) return new StateFile(nothingKnown(), undefined);
  const path = join((await stateFolder(env)).alarms, `${encodeURIComponent(share)}.json`);
  return new StateFile((await readStateFile(path, parse)) ?? nothingKnown(), async (value) => {
    try {
      await writeStateFile(path, value);
    } catch (error) {
      log.warn({ error: String(error) }, 'what alarms know cannot be kept');
    }
  });
}

class StateFile implements AlarmState {
  readonly known: Known;
  private write: ((value: unknown) => Promise<void>) | undefined;
  private parts: Readonly<Record<string, Part>> = {};
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(known: Known, write: ((value: unknown) => Promise<void>) | undefined) {
    this.known = known;
    this.write = write;
  }

  keep(parts: Readonly<Record<string, Part>>): void {
    this.parts = parts;
  }

  note(): void {
    if (this.write === undefined || this.timer !== undefined || !this.dirty()) return;
    this.timer = setTimeout(() => this.flushSoon(), WRITE_MS).unref();
  }

  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.flushSoon();
    await this.writing;
  }

  stopWriting(): void {
    this.write = undefined;
  }

  close(): Promise<void> {
    return this.flush();
  }

  private dirty(): boolean {
    return Object.values(this.parts).some(({ dirty }) => dirty);
  }

  private flushSoon(): void {
    this.timer = undefined;
    const { write } = this;
    if (write === undefined || !this.dirty()) return;
    for (const part of Object.values(this.parts)) part.dirty = false;
    // As it is now: it goes on changing while it is written.
    const value: unknown = JSON.parse(JSON.stringify({ version: 1, ...this.parts }));
    this.writing = this.writing.then(() => write(value));
  }
}

function nothingKnown(): Known {
  return { habits: new Map(), causes: new Map(), silences: [] };
}

function parse(value: unknown): Known | undefined {
  const file = asObject(value);
  const habits = readHabits(file?.habits);
  const causes = readCauses(file?.causes);
  const silences = readSilences(file?.silences);
  return file?.version === 1 && habits && causes && silences ? { habits, causes, silences } : undefined;
}
