// A file with patterns of scrubbing, as written: which keys an entry has and of which form. Whether a pattern compiles and
// passes its own tests is judged by who runs it (gateway, scrub/pattern-files.ts), who says so with the places kept here.

import { ConfigError, openReport, type Spot } from './errors.ts';
import { readBytes } from './load.ts';
import { SCRUB_MODES, SCRUB_SURFACES, type ScrubMode, type ScrubSurface } from './scrub-shape.ts';
import { choice, count, field, list, object, type Reading, rootSpot, text, wrong } from './shape.ts';
import { decodeSource, parseSource } from './source.ts';

const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
const VIEWS = ['words', 'text', 'raw'] as const;

export interface PatternEntry {
  readonly id: string;
  readonly description: string;
  readonly severity: (typeof SEVERITIES)[number];
  /** What happens where nothing else is configured. */
  readonly mode: ScrubMode;
  /** Absent: everything that comes from servers, and arguments where they are looked at. */
  readonly surfaces?: readonly ScrubSurface[];
  /** `words`: the text folded, blanks and emphasis one space; `text`: folded, only blanks; `raw`: as it is, for what depends
   *  on case. */
  readonly view: (typeof VIEWS)[number];
  readonly re2: string;
  /** One of these must occur (lower case), at the beginning of a word if it begins with an ASCII letter, as a word of its
   *  own if it has no more than three of them; `raw`: anywhere … */
  readonly literals: readonly string[];
  /** … and one of these, where there are some. */
  readonly also: readonly string[];
  readonly reach: number;
  /** What of a match counts; 0: all. */
  readonly group: number;
  /** Shannon bits a character that it must have. */
  readonly entropy: number;
  readonly check?: string;
  /** RE2: a match in which one of these is found is none. */
  readonly except: readonly string[];
  readonly tests: { readonly hit: readonly string[]; readonly miss: readonly string[] };
  /** Where it stands. */
  readonly spot: Spot;
}

/** How far around a literal a pattern looks where it does not say. */
const DEFAULT_REACH = 256;
const MAX_REACH = 4096;
const MAX_GROUP = 9;
const MAX_ENTROPY = 8;

const anyText = { read: text().read, form: 'text' };
const patternShape = object({
  id: field(
    text({ form: 'up to 64 small letters, digits and -', pattern: /^[a-z0-9][a-z0-9-]{0,63}$/ }),
    'names the rule',
    { required: true },
  ),
  description: field(text(), 'what it finds, for people', { required: true }),
  severity: field(choice(SEVERITIES), 'how bad a hit is', { required: true }),
  mode: field(choice(SCRUB_MODES), 'what is done where the configuration says nothing', { default: 'flag' }),
  surfaces: field(list(choice(SCRUB_SURFACES)), 'where it looks', { default: 'everywhere' }),
  view: field(choice(VIEWS), 'how it sees the text', { default: 'words' }),
  re2: field(text(), 'the pattern, in RE2', { required: true }),
  literals: field(list(anyText), 'one of these is in every match', { required: true }),
  also: field(list(anyText), 'and one of these is near', { default: 'none' }),
  reach: field(count(1, MAX_REACH), 'how far around its literals it looks', { default: String(DEFAULT_REACH) }),
  group: field(count(1, MAX_GROUP), 'the group that counts', { default: 'the whole match' }),
  entropy: field(text({ form: 'bits a character', pattern: /^\d(?:\.\d{1,3})?$/ }), 'what it must have', {
    default: 'any',
  }),
  check: field(text(), 'a check beyond the pattern: luhn, iban …', { default: 'none' }),
  except: field(list(text()), 'patterns: a match that holds one of these is none', { default: 'none' }),
  tests: field(
    object({
      hit: field(list(anyText), 'texts in which it must find something', { required: true }),
      miss: field(list(anyText), 'texts in which it must not', { required: true }),
    }),
    'its own tests',
    { required: true },
  ),
});

const fileShape = object({
  patterns: field(list(patternShape), 'the patterns', { required: true }),
});

/** Throws ConfigError. `file`: as shown in messages. */
export function parsePatternFile(content: string, file: string): PatternEntry[] {
  const report = openReport(file);
  const root = parseSource(content, file, report);
  const reading: Reading = {
    format: 'ours',
    report,
    path: () => undefined,
    // A dollar is the end of a line here, never a variable.
    expand: (value) => value,
    expandLeniently: (value) => value,
  };
  const raw = !root
    ? undefined
    : root.kind === 'map'
      ? fileShape.read(root, rootSpot(root.at), reading)
      : wrong(root, rootSpot(root.at), 'a mapping with patterns', reading);
  const seen = new Map<string, Spot>();
  for (const entry of raw?.patterns ?? []) {
    const spot = entry.spotOf('id');
    const before = entry.id === undefined ? undefined : seen.get(entry.id);
    if (before) report.problem(spot, `id ${entry.id} is used twice`, `first on line ${before.line}`);
    if (entry.id !== undefined) seen.set(entry.id, spot);
  }
  report.end();
  return (raw?.patterns ?? []).map((entry) => ({
    id: entry.id ?? '',
    description: entry.description ?? '',
    severity: entry.severity ?? 'low',
    mode: entry.mode ?? 'flag',
    ...(entry.surfaces === undefined ? {} : { surfaces: entry.surfaces }),
    view: entry.view ?? 'words',
    re2: entry.re2 ?? '',
    literals: entry.literals ?? [],
    also: entry.also ?? [],
    reach: entry.reach ?? DEFAULT_REACH,
    group: entry.group ?? 0,
    entropy: Math.min(Number(entry.entropy ?? 0), MAX_ENTROPY),
    ...(entry.check === undefined ? {} : { check: entry.check }),
    except: entry.except ?? [],
    tests: { hit: entry.tests?.hit ?? [], miss: entry.tests?.miss ?? [] },
    spot: entry.spotOf('re2'),
  }));
}

/** From disk; a file that is none ends in the same ConfigError. */
export async function loadPatternFile(path: string, cwd: string): Promise<PatternEntry[]> {
  const report = openReport(path);
  const content = decodeSource(await readBytes(path, cwd, report), report);
  report.end();
  return parsePatternFile(content ?? '', path);
}

/** For who finds more wrong with an entry than its form. */
export function patternError(file: string, spot: Spot, expected: string): ConfigError {
  const { line, col, key } = spot;
  return new ConfigError(file, [{ line, col, key, expected, text: `${file}:${line}:${col}: ${key}: ${expected}` }]);
}
