// The `reload` keys: whether a changed file is taken over by itself, and how long sessions that began before may go on as they
// began.

import type { ReloadConfig } from './config.ts';
import { DEFAULTS } from './config.ts';
import { bool, field, object, parsed } from './shape.ts';
import { DURATION_FORM, parseDuration } from './units.ts';

export const reloadShape = object({
  watch: field(
    bool(),
    'a changed file is checked and taken over by itself; false: only mcp-gateway reload and SIGHUP do',
    {
      default: 'true',
    },
  ),
  max_drain: field(
    parsed<number>(DURATION_FORM, (value) => parseDuration(value) ?? { refused: DURATION_FORM }),
    'how long sessions that began before keep the backends and names they began with; then they begin anew, which agents do not notice. What a change takes away is gone at once',
    { default: '15m' },
  ),
});

export function buildReload(
  raw: { readonly watch?: boolean | undefined; readonly max_drain?: number | undefined } = {},
): ReloadConfig {
  return { watch: raw.watch ?? true, maxDrainMs: raw.max_drain ?? DEFAULTS.maxDrainMs };
}
