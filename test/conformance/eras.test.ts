// Both eras through the whole chain: a fixture that speaks one of them or both, behind http door, gateway and bridge, behind
// http door and gateway, behind http door and bridge. In the crossed runs the suite speaks the era that the fixture does
// not: what cannot be said there is listed, one by one, in expected-failures.yml.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { House } from '../e2e/harness.ts';
import { type FixtureEra, fixtureCommand, httpFixture } from './fixture.ts';
import { installSuite, runSuite } from './suite.ts';
import { assertVerdict } from './verdict.ts';

const installed = await installSuite();
const skip = 'impossible' in installed ? installed.impossible : false;
if (skip !== false) process.stderr.write(`SKIPPED: the conformance suite is not installed: ${skip}\n`);

type Chain = (house: House, era: FixtureEra, run: (url: string) => Promise<void>) => Promise<void>;

const CHAINS: Readonly<Record<string, Chain>> = {
  'http door, bridge, fixture': async (house, era, run) => {
    await run(await house.http(await house.bridge(...fixtureCommand(era))));
  },
  'http door, gateway, bridge, fixture': async (house, era, run) => {
    const bridge = await house.bridge(...fixtureCommand(era));
    const gateway = await house.gateway([{ id: 'fixture', transport: { type: 'share', share_token: bridge } }]);
    await run(await house.http(gateway));
  },
  'http door, gateway, http fixture': async (house, era, run) => {
    await using fixture = await httpFixture(era);
    const transport = { type: 'http', endpoint: fixture.url, protocol: 'streamable', allow_insecure: true };
    await run(await house.http(await house.gateway([{ id: 'fixture', transport }])));
  },
};

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

for (const [chain, open] of Object.entries(CHAINS)) {
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
