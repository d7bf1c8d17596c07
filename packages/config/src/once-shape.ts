// The keys of `once` and of `backends[].retry`: how long outcomes of calls are kept for whoever asks again, and what may run
// twice where nobody knows how it ended.

import { compact, type OnceConfig } from './config.ts';
import { globProblem } from './glob.ts';
import { choice, count, field, list, object, parsed } from './shape.ts';
import { DURATION_FORM, parseDuration, parseSize } from './units.ts';

const MINUTE_MS = 60_000;
const WEEK_MS = 7 * 24 * 3_600_000;
const MiB = 1024 * 1024;
const KEEP_FORM = 'a duration of 1m to 7d';

const keep = parsed<number>(KEEP_FORM, (value) => {
  const ms = parseDuration(value);
  if (ms === undefined) return { refused: DURATION_FORM };
  return ms < MINUTE_MS || ms > WEEK_MS ? { refused: KEEP_FORM } : ms;
});
const glob = parsed<string>('a pattern', (value) => {
  const refused = globProblem(value);
  return refused === undefined ? value : { refused: 'a pattern', hint: refused };
});
const size = { form: 'bytes (256MiB)', parse: parseSize };

export const onceShape = object({
  keep: field(keep, 'how long; what is asked for later is answered: outcome unknown', { default: '1h' }),
  bytes: field(count(8 * MiB, 64 * 1024 * MiB, size), 'of the disk, in all; with more, the oldest go earlier', {
    default: '256MiB',
  }),
  durability: field(
    choice(['os', 'commit']),
    'os: written, which a crash of this program cannot undo, but a loss of power can; commit: on the disk before a call begins, and before its answer leaves',
    { default: 'os' },
  ),
});

export const retryShape = object({
  safe: field(
    list(glob),
    "patterns on the backend's own tool names; what servers say of their tools is not believed for this",
    { required: true, example: '[read_*]' },
  ),
});

export function buildOnce(raw: {
  readonly keep?: number | undefined;
  readonly bytes?: number | undefined;
  readonly durability?: OnceConfig['durability'];
}): OnceConfig {
  return compact({ keepMs: raw.keep, bytes: raw.bytes, durability: raw.durability });
}
