// Scrubbing as a gateway runs it: the patterns read, the files of the operator's own watched, hits told to the log and to
// whoever keeps a record. A file that is broken when it changes leaves the patterns as they were, and is said.

import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { GatewayConfig } from '@mcp-overlay/config';
import type { ScrubHit } from '../call/call.ts';
import type { GatewayLog } from '../call/log.ts';
import type { PatternSpec } from './pattern.ts';
import { loadOwnPatterns, shippedPatterns } from './pattern-files.ts';
import { type HitSink, Scrubber, type ScrubPlace } from './scrubber.ts';

/** An editor writes a file in several steps. */
const SETTLE_MS = 100;

export interface Scrubbing {
  readonly scrubber: Scrubber;
  readonly hits: (session: SessionOf) => HitSink;
  /** undefined: it is off. */
  status(): ScrubStatus | undefined;
  /** Reads what another configuration says. What comes of it puts that in force, for every session. Rejects with ConfigError. */
  prepare(config: ScrubSources): Promise<() => void>;
  close(): Promise<void>;
}

export interface ScrubStatus {
  /** What it is for: it shows, it keeps nothing from happening. */
  readonly purpose: 'visibility, not a boundary';
  readonly configured: boolean;
  readonly patterns: number;
  /** By rule, since the start. */
  readonly hits: Readonly<Record<string, number>>;
  /** Why changed pattern files are not in force. */
  readonly trouble?: string;
}

interface SessionOf {
  readonly number: number;
  readonly principal: { readonly id: string };
}

export interface ScrubRecord extends ScrubPlace {
  readonly session: number;
  readonly ident: string;
  /** In words, for a record. */
  readonly hits: readonly string[];
}

export type ScrubSources = Pick<GatewayConfig, 'scrub' | 'backends' | 'file'>;

export interface OpenScrubOptions {
  readonly config: ScrubSources;
  /** It may be turned on later: what is off is there all the same. */
  readonly live?: boolean;
  readonly log: GatewayLog;
  /** Keeps each hit on record. */
  readonly record?: (hit: ScrubRecord) => void;
}

/** Rejects with ConfigError where a pattern file cannot be used. undefined: it is off. */
export async function openScrub({ config, live, log, record }: OpenScrubOptions): Promise<Scrubbing | undefined> {
  const { scrub, backends } = config;
  let specs = await specsOf(config);
  const scrubber = new Scrubber({ config: scrub, backends, specs });
  if (scrubber.rules === 0 && live !== true) {
    await scrubber.close();
    return undefined;
  }
  let sources = config;
  let trouble: string | undefined;
  const watch = (): { close(): void } =>
    watchFiles(sources.scrub?.patterns ?? [], async () => {
      const asked = sources;
      try {
        const changed = await specsOf(asked);
        if (asked !== sources) return;
        specs = changed;
        scrubber.use(specs);
        trouble = undefined;
        log.info({ patterns: scrubber.rules }, 'patterns read again');
      } catch (error) {
        trouble = error instanceof Error ? error.message : String(error);
        log.warn({ error: trouble }, 'changed patterns cannot be used, the old ones stay');
      }
    });
  let watching = watch();
  return {
    scrubber,
    hits:
      ({ number, principal }) =>
      (place, hits) => {
        const fields = { session: number, ...place, rules: hits.map(({ rule, mode }) => `${rule}:${mode}`) };
        if (scrubber.modes.configured) log.info(fields, 'scrub hit');
        else log.debug(fields, 'scrub hit');
        record?.({ session: number, ident: principal.id, ...place, hits: hits.map(inWords) });
      },
    status: () =>
      scrubber.rules === 0
        ? undefined
        : {
            purpose: 'visibility, not a boundary',
            configured: scrubber.modes.configured,
            patterns: scrubber.rules,
            hits: scrubber.hits(),
            ...(trouble === undefined ? {} : { trouble }),
          },
    prepare: async (wants) => {
      const next = withGone(wants, sources);
      const wanted = await specsOf(next);
      const same = sameModes(sources, next) && JSON.stringify(wanted) === JSON.stringify(specs);
      return () => {
        if (!same) scrubber.use(wanted, { config: next.scrub, backends: next.backends });
        const files = ({ scrub }: ScrubSources): string => JSON.stringify(scrub?.patterns ?? []);
        const others = files(sources) !== files(next);
        specs = wanted;
        sources = next;
        trouble = undefined;
        if (!others) return;
        watching.close();
        watching = watch();
      };
    },
    close: async () => {
      watching.close();
      await scrubber.close();
    },
  };
}

async function specsOf({ scrub, file }: ScrubSources): Promise<PatternSpec[]> {
  return [...shippedPatterns(), ...(await loadOwnPatterns(scrub?.patterns ?? [], dirname(file)))];
}

/** Backends that are gone have sessions for a while: what is said of their texts goes on. */
function withGone(now: ScrubSources, before: ScrubSources): ScrubSources {
  const there = new Set(now.backends.map(({ id }) => id));
  const backends = [...now.backends, ...before.backends.filter(({ id }) => !there.has(id))];
  const tools = (before.scrub?.tools ?? []).filter(({ backend }) => !there.has(backend));
  return { ...now, backends, ...(now.scrub && { scrub: { ...now.scrub, tools: [...now.scrub.tools, ...tools] } }) };
}

function sameModes(a: ScrubSources, b: ScrubSources): boolean {
  const modes = ({ scrub, backends }: ScrubSources) =>
    JSON.stringify([scrub, backends.map(({ id, scrub: own }) => [id, own])]);
  return modes(a) === modes(b);
}

function inWords({ rule, mode, surface, count, at, via }: ScrubHit): string {
  const places = at.map(([start, end]) => `${start}-${end}`).join(',');
  return [rule, mode, surface, `×${count}`, ...(places === '' ? [] : [places]), ...(via ? [`in ${via}`] : [])].join(
    ' ',
  );
}

/** Folders are watched, because an editor puts a new file in the place of the old one. */
function watchFiles(files: readonly string[], changed: () => Promise<void>): { close(): void } {
  let timer: NodeJS.Timeout | undefined;
  const later = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void changed(), SETTLE_MS);
  };
  const names = new Set(files.map((file) => basename(file)));
  const watchers = [...new Set(files.map((file) => dirname(file)))].map((folder) =>
    watch(folder, { persistent: false }, (_, name) => {
      if (name === null || names.has(name)) later();
    }).on('error', later),
  );
  return {
    close: () => {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
