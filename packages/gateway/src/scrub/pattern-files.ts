// Pattern files become patterns: each is compiled, measured and run on its own tests before any text sees it. One that is
// outside RE2, has no tests or fails them makes its whole file refused, with the place.

import { readdirSync, readFileSync } from 'node:fs';
import { loadPatternFile, type PatternEntry, parsePatternFile, patternError } from '@mcp-overlay/config';
import { SCRUB_LIMITS } from './limits.ts';
import { type PatternSpec, patternProblem } from './pattern.ts';
import { Rulebook } from './rulebook.ts';
import { expandSamples } from './samples.ts';
import { newContext, Scanner } from './scan.ts';

/** The operator's own files. Throws ConfigError. */
export async function loadOwnPatterns(paths: readonly string[], cwd: string): Promise<PatternSpec[]> {
  const specs: PatternSpec[] = [];
  const owner = new Map<string, string>(shippedPatterns().map(({ id }) => [id, 'the shipped patterns']));
  for (const path of paths) {
    const entries = await loadPatternFile(path, cwd);
    for (const entry of entries) {
      const other = owner.get(entry.id);
      if (other !== undefined) throw patternError(path, entry.spot, `id ${entry.id} is in ${other} already`);
      owner.set(entry.id, path);
      const problem = entryProblem(entry);
      if (problem !== undefined) throw patternError(path, entry.spot, problem);
    }
    specs.push(...entries);
    const most = SCRUB_LIMITS.patterns - shippedPatterns().length;
    const last = entries.at(-1);
    if (specs.length > most && last) throw patternError(path, last.spot, `more than ${most} patterns of your own`);
  }
  return specs;
}

/** What is wrong with a pattern: its form, its size, or that it fails its own tests. */
export function entryProblem(spec: PatternSpec): string | undefined {
  const problem = patternProblem(spec);
  if (problem !== undefined) return problem;
  const scanner = new Scanner(new Rulebook([spec], () => false), undefined);
  const [surface = 'text'] = spec.surfaces ?? [];
  const finds = (text: string): boolean =>
    scanner.scan(expandSamples(text), newContext(surface)).some(({ rule }) => rule === spec.id);
  const unfound = spec.tests.hit.findIndex((text) => !finds(text));
  if (unfound >= 0) return `fails its own test: tests.hit[${unfound}] is not found`;
  const found = spec.tests.miss.findIndex(finds);
  return found < 0 ? undefined : `fails its own test: tests.miss[${found}] is found`;
}

let shipped: readonly PatternSpec[] | undefined;

/** Those that come with the program. They were judged when it was built: a test runs `entryProblem` on each. */
export function shippedPatterns(): readonly PatternSpec[] {
  shipped ??= readShipped();
  return shipped;
}

/** Beside the bundle one JSON file that the build made; in the sources the YAML files it is made of. */
const PLACES = ['./', '../', '../../'].map((up) => new URL(`${up}patterns/`, import.meta.url));

function readShipped(): readonly PatternEntry[] {
  for (const folder of PLACES) {
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch {
      continue;
    }
    if (names.includes('shipped.json')) {
      return JSON.parse(readFileSync(new URL('shipped.json', folder), 'utf8')) as PatternEntry[];
    }
    const files = names.filter((name) => name.endsWith('.yml')).sort();
    if (files.length > 0) {
      return files.flatMap((name) => parsePatternFile(readFileSync(new URL(name, folder), 'utf8'), name));
    }
  }
  throw new Error('the shipped patterns are missing: install the package again');
}
