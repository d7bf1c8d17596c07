// A scrubber for tests, with the shipped patterns or a few of the test's own.

import type { ScrubConfig, ScrubOverride } from '@mcp-overlay/config';
import type { ScrubHit } from '../../src/call/call.ts';
import type { PatternSpec } from '../../src/scrub/pattern.ts';
import { shippedPatterns } from '../../src/scrub/pattern-files.ts';
import { Scrubber, type ScrubPlace } from '../../src/scrub/scrubber.ts';
import type { SessionSettings } from '../../src/session/settings.ts';

export const PLAIN: ScrubConfig = { rules: {}, arguments: 'off', patterns: [], pii: [], note: false, tools: [] };

export function spec(id: string, more: Partial<PatternSpec> = {}): PatternSpec {
  return {
    id,
    description: id,
    severity: 'high',
    mode: 'flag',
    view: 'words',
    re2: `\\b${id}\\b`,
    literals: [id],
    also: [],
    reach: 64,
    group: 0,
    entropy: 0,
    except: [],
    tests: { hit: [id], miss: ['-'] },
    ...more,
  };
}

export interface Heard extends ScrubPlace {
  readonly hits: readonly ScrubHit[];
}

/** Settings of a session that is looked through, and what was found in it. */
export function scrubbing(
  config?: Partial<ScrubConfig>,
  {
    specs = shippedPatterns(),
    backends = [],
  }: { specs?: readonly PatternSpec[]; backends?: readonly { id: string; scrub?: ScrubOverride }[] } = {},
) {
  const scrubber = new Scrubber({ config: config && { ...PLAIN, ...config }, backends, specs });
  const heard: Heard[] = [];
  const settings: Partial<SessionSettings> = {
    scrubber,
    scrubHits: () => (place, hits) => void heard.push({ ...place, hits }),
  };
  return {
    scrubber,
    heard,
    settings,
    rules: () => heard.flatMap(({ hits }) => hits.map(({ rule }) => rule)),
    [Symbol.asyncDispose]: () => scrubber.close(),
  };
}
