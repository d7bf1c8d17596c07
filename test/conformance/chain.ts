// Both eras through one chain of our programs: a fixture that speaks one of them or both at its end. In the crossed runs
// the suite speaks the era that the fixture does not: what cannot be said there is listed, check by check, in
// expected-failures.yml. One test file for each chain, so that none takes longer than a file may.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { House } from '../e2e/harness.ts';
import type { FixtureEra } from './fixture.ts';
import { installSuite, runSuite } from './suite.ts';
import { assertVerdict } from './verdict.ts';

const installed = await installSuite();
const skip = 'impossible' in installed ? installed.impossible : false;
if (skip !== false) process.stderr.write(`SKIPPED: the conformance suite is not installed: ${skip}\n`);

/** Gives the URL of the http door at its near end to `run`. */
export type Chain = (house: House, era: FixtureEra, run: (url: string) => Promise<void>) => Promise<void>;

const RUNS: readonly { readonly era: FixtureEra; readonly revision: string; readonly crossed?: true }[] = [
  { era: 'legacy', revision: '2025-11-25' },
  { era: 'modern', revision: '2026-07-28' },
  { era: 'both', revision: '2025-11-25' },
  { era: 'both', revision: '2026-07-28' },
  { era: 'legacy', revision: '2026-07-28', crossed: true },
  { era: 'modern', revision: '2025-11-25', crossed: true },
];

const PREFIX = 'io.modelcontextprotocol/';
/** With these the suite waits half a second for a first frame: a legacy server that has to be started may take longer. */
const HURRIED = [{}, { elicitation: {} }];

export function testChain(chain: string, open: Chain): void {
  for (const { era, revision, crossed } of RUNS) {
    test(`${chain} of era ${era}: ${revision}${crossed ? ', crossed' : ''}`, { skip }, async () => {
      if ('impossible' in installed) throw new Error(installed.impossible);
      const { suite } = installed;
      await using house = await House.open();
      await open(house, era, async (url) => {
        if (crossed && era === 'legacy') for (const capabilities of HURRIED) await warm(url, capabilities);
        const name = crossed ? `${revision} on a ${era} fixture` : `${revision} on its own`;
        await assertVerdict(name, revision, await runSuite(suite, url, revision));
      });
    });
  }
}

/** A request with these capabilities starts the legacy server that the suite's own will find. */
async function warm(url: string, capabilities: object): Promise<void> {
  const version = '2026-07-28';
  const _meta = { [`${PREFIX}protocolVersion`]: version, [`${PREFIX}clientCapabilities`]: capabilities };
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': version,
      'mcp-method': 'tools/list',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }),
  });
  assert.equal(response.status, 200, await response.text());
}
