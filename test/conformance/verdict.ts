// What a run of the suite has to come to: no failure, or exactly those that are listed in expected-failures.yml with their
// reasons. A listed failure that does not happen fails as well, so the list can only shrink or be argued for.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { Failure, Verdict } from './suite.ts';

/** How large the sets of this version of the suite are; a smaller one would mean that it was read wrongly. */
const SETS: Readonly<Record<string, { readonly required: number; readonly checks: number }>> = {
  '2025-11-25': { required: 30, checks: 60 },
  '2026-07-28': { required: 37, checks: 110 },
};

interface Expected {
  readonly run: string;
  readonly scenario: string;
  readonly check: string;
  readonly reason: string;
}

/** Scenarios that the set runs without scoring (extensions, header rules) count here: we promise them too. */
export async function assertVerdict(run: string, revision: string, verdict: Verdict): Promise<void> {
  for (const warning of verdict.warnings) process.stderr.write(`warning: ${run}: ${say(warning)}\n`);
  const expected = (await expectedFailures()).filter((entry) => entry.run === run);
  const failures = [...verdict.failures, ...verdict.unscored];
  const fits = ({ scenario, check }: Expected, failure: Failure): boolean =>
    scenario === failure.scenario && check === failure.check;
  const surprises = failures.filter((failure) => !expected.some((entry) => fits(entry, failure)));
  const stale = expected.filter((entry) => !failures.some((failure) => fits(entry, failure)));
  assert.deepEqual(surprises.map(say), [], `${run}: failures that are not listed`);
  assert.deepEqual(stale.map(say), [], `${run}: listed failures that did not happen`);
  assert.deepEqual(verdict.missing, []);
  const set = SETS[revision];
  assert.ok(set);
  assert.equal(verdict.required, set.required);
  assert.ok(verdict.checks >= set.checks, `only ${verdict.checks} checks`);
}

async function expectedFailures(): Promise<readonly Expected[]> {
  const text = await readFile(new URL('./expected-failures.yml', import.meta.url), 'utf8');
  const entries = (parse(text) ?? []) as readonly Expected[];
  for (const entry of entries) {
    for (const key of ['run', 'scenario', 'check', 'reason'] as const) assert.ok(entry[key], JSON.stringify(entry));
  }
  return entries;
}

function say({ scenario, check, ...more }: Failure | Expected): string {
  return `${scenario} ${check}: ${'message' in more ? more.message : more.reason}`;
}
