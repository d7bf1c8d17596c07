// What a run of the suite has to come to: no failure, or exactly those that are listed in expected-failures.yml with their
// reasons. A listed failure that does not happen fails as well, so the list can only shrink or be argued for.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import type { ClientVerdict, Failure, Verdict } from './suite.ts';

/** How large the sets of this version of the suite are; a smaller one would mean that it was read wrongly. */
const SETS: Readonly<Record<string, { readonly required: number; readonly checks: number }>> = {
  '2025-11-25': { required: 30, checks: 60 },
  '2026-07-28': { required: 37, checks: 110 },
};

/** Of one run, for one reason: the checks of each scenario. */
interface ExpectedGroup {
  readonly run: string;
  readonly reason: string;
  readonly failures: Readonly<Record<string, readonly string[]>>;
}

interface Expected {
  readonly scenario: string;
  readonly check: string;
}

/** Scenarios that the set runs without scoring (extensions, header rules) count here: we promise them too. */
export async function assertVerdict(run: string, revision: string, verdict: Verdict): Promise<void> {
  for (const warning of verdict.warnings) process.stderr.write(`warning: ${run}: ${say(warning)}\n`);
  const expected = await expectedFailures(run);
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

export function assertClient({ failures, warnings, passed, output }: ClientVerdict): void {
  for (const warning of warnings) process.stderr.write(`warning: ${say(warning)}\n`);
  assert.deepEqual(failures.map(say), [], output);
  assert.ok(passed.length > 0, `nothing was checked: ${output}`);
}

async function expectedFailures(run: string): Promise<readonly Expected[]> {
  const text = await readFile(new URL('./expected-failures.yml', import.meta.url), 'utf8');
  const groups = parse(text) as readonly ExpectedGroup[];
  for (const group of groups) assert.ok(group.reason.length > 20, `no reason: ${JSON.stringify(group)}`);
  return groups
    .filter((group) => group.run === run)
    .flatMap(({ failures }) =>
      Object.entries(failures).flatMap(([scenario, checks]) => checks.map((check) => ({ scenario, check }))),
    );
}

function say({ scenario, check, ...more }: Failure | Expected): string {
  return 'message' in more ? `${scenario} ${check}: ${more.message}` : `${scenario} ${check}`;
}
