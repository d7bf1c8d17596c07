// The two-era fixture alone passes the suite in each era that it speaks: what fails through a chain is the chain's.

import { test } from 'node:test';
import { type FixtureEra, httpFixture } from './fixture.ts';
import { installSuite, runSuite } from './suite.ts';
import { assertVerdict } from './verdict.ts';

const installed = await installSuite();
const skip = 'impossible' in installed ? installed.impossible : false;
if (skip !== false) process.stderr.write(`SKIPPED: the conformance suite is not installed: ${skip}\n`);

const RUNS: readonly [FixtureEra, string][] = [
  ['legacy', '2025-11-25'],
  ['modern', '2026-07-28'],
  ['both', '2025-11-25'],
  ['both', '2026-07-28'],
];

for (const [era, revision] of RUNS) {
  test(`the fixture of era ${era} alone passes ${revision}`, { skip }, async () => {
    if ('impossible' in installed) throw new Error(installed.impossible);
    await using fixture = await httpFixture(era);
    await assertVerdict('direct', revision, await runSuite(installed.suite, fixture.url, revision));
  });
}
