// The suite's client scenarios that apply to what stands in the way (all but authorization): the official client through
// http door and gateway must look to the suite's servers as it does directly.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ClientVerdict, installSuite, runClientScenario } from './suite.ts';
import { assertClient } from './verdict.ts';

const client = fileURLToPath(new URL('./client.ts', import.meta.url));
const installed = await installSuite();
const skip = 'impossible' in installed ? installed.impossible : false;
if (skip !== false) process.stderr.write(`SKIPPED: the conformance suite is not installed: ${skip}\n`);

const SCENARIOS: Readonly<Record<string, readonly string[]>> = {
  '2025-11-25': ['initialize', 'tools_call', 'elicitation-sep1034-client-defaults', 'sse-retry'],
  '2026-07-28': [
    'tools_call',
    'request-metadata',
    'sep-2322-client-request-state',
    'http-standard-headers',
    'http-custom-headers',
    'http-invalid-tool-headers',
    'json-schema-ref-no-deref',
    'json-schema-2020-12-preservation',
  ],
};

for (const [revision, scenarios] of Object.entries(SCENARIOS)) {
  for (const scenario of scenarios) {
    test(`${scenario} of ${revision}: the same directly and through http door and gateway`, { skip }, async () => {
      if ('impossible' in installed) throw new Error(installed.impossible);
      const { suite } = installed;
      const play = (way: 'direct' | 'gateway'): Promise<ClientVerdict> => {
        const command = [process.execPath, '--import', 'tsx', client, way].join(' ');
        return runClientScenario(suite, command, scenario, revision);
      };
      const direct = await play('direct');
      assertClient(direct);
      const through = await play('gateway');
      assertClient(through);
      assert.deepEqual(through.passed, direct.passed);
    });
  }
}
