// What is not well, in plain words for whoever runs the gateway: what failed, since when, what is being done about it, what
// to do. The same words stand in `status` and, once when it begins and once when it is over, in the log.

import type { GatewayLog } from '../call/log.ts';

export interface Trouble {
  /** What is not well, one trouble each: `backend fs`. */
  readonly about: string;
  readonly failed: string;
  /** ISO time. */
  readonly since: string;
  readonly doing: string;
  readonly remedy: string;
  /** Last words of a server, on its stderr. */
  readonly said?: readonly string[];
}

/** `since` in milliseconds since the epoch; absent: since it was first found. */
export type Found = Omit<Trouble, 'since'> & { readonly since?: number | undefined };

export interface TroubleWatch {
  /** Longest first. */
  list(): readonly Trouble[];
  close(): void;
}

export interface TroubleOptions {
  readonly look: () => readonly Found[];
  readonly log: GatewayLog;
  readonly everyMs?: number;
  readonly now?: () => number;
}

const EVERY_MS = 5000;

export function watchTroubles({ look, log, everyMs = EVERY_MS, now = Date.now }: TroubleOptions): TroubleWatch {
  const known = new Map<string, Trouble>();
  const update = (): void => {
    const found = look();
    for (const { since, ...words } of found) {
      const before = known.get(words.about);
      const began = since === undefined ? before?.since : new Date(since).toISOString();
      const trouble = { ...words, since: began ?? new Date(now()).toISOString() };
      known.set(words.about, trouble);
      if (!before) log.warn(trouble, 'trouble');
    }
    const still = new Set(found.map(({ about }) => about));
    for (const [about, { failed, since }] of known) {
      if (still.has(about)) continue;
      known.delete(about);
      log.info({ about, failed, since }, 'trouble is over');
    }
  };
  const timer = setInterval(update, everyMs);
  timer.unref();
  return {
    list: () => {
      update();
      return [...known.values()].sort((a, b) => a.since.localeCompare(b.since));
    },
    close: () => clearInterval(timer),
  };
}
