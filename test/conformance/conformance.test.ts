// The suite's 2025-11-25 server set against the whole chain, with our fixture at its end: 0 failures. The same against
// the fixture alone and behind our HTTP door alone: which of the three is red says where a fault is.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ChildTransport, LIMITS, relay, safeEnvironment, spawnChild } from '../../packages/relay/src/index.ts';
import { createHttpSessions } from '../../packages/relay/src/transports/http/index.ts';
import { doorGuard } from '../../packages/tools/src/door-guard.ts';
import { House } from '../e2e/harness.ts';
import { type Failure, installSuite, runSuite, type Verdict } from './suite.ts';

const REVISION = '2025-11-25';
const fixture = fileURLToPath(new URL('../fixtures/conformance-server.mjs', import.meta.url));
const front = fileURLToPath(new URL('./front.mjs', import.meta.url));

const installed = await installSuite();
const skip = 'impossible' in installed ? installed.impossible : false;
if (skip !== false) process.stderr.write(`SKIPPED: the conformance suite is not installed: ${skip}\n`);

test('the fixture alone, behind the official transport, passes the suite', { skip }, async () => {
  const child = spawn(process.execPath, [front, process.execPath, fixture], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    const { url } = JSON.parse(line) as { url: string };
    assertPassed(await run(url));
  } finally {
    child.stdin.end();
    await once(child, 'close');
  }
});

test('our http door alone, in front of the fixture, passes the suite', { skip }, async () => {
  const children = new Set<ChildTransport>();
  const door = createHttpSessions({
    onSession: (client) => {
      const child = spawnChild({
        name: 'fixture',
        command: process.execPath,
        args: [fixture],
        env: safeEnvironment(process.env, {}),
        limits: LIMITS,
      });
      children.add(child);
      void relay(client, child);
    },
  });
  const server = createServer((request, response) => {
    const verdict = guard(request);
    if (verdict.pass) door.handle(request, response);
    else response.writeHead(verdict.status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const guard = doorGuard({ bind: { kind: 'tcp', host: '127.0.0.1', port }, secret: undefined, allowOrigins: [] });
  try {
    assertPassed(await run(`http://127.0.0.1:${port}/mcp`));
  } finally {
    await door.close();
    await Promise.all([...children].map((child) => child.close()));
    server.close().closeAllConnections();
  }
});

test('http door, gateway and bridge in front of the fixture pass the suite', { skip }, async () => {
  await using house = await House.open();
  const bridge = await house.bridge(process.execPath, fixture);
  const gateway = await house.gateway([{ id: 'fixture', transport: { type: 'share', share_token: bridge } }]);
  assertPassed(await run(await house.http(gateway)));
});

test('an endpoint where nothing answers is a failure, not 29 passes', { skip }, async () => {
  const verdict = await run('http://127.0.0.1:1/mcp');
  assert.ok(verdict.failures.length + verdict.missing.length >= verdict.required - 1);
});

async function run(url: string): Promise<Verdict> {
  if ('impossible' in installed) throw new Error(installed.impossible);
  return await runSuite(installed.suite, url, REVISION);
}

function assertPassed(verdict: Verdict): void {
  const say = ({ scenario, check, message }: Failure): string => `${scenario} ${check}: ${message}`;
  for (const warning of verdict.warnings) process.stderr.write(`warning: ${say(warning)}\n`);
  for (const failure of verdict.unscored) process.stderr.write(`not scored: ${say(failure)}\n`);
  assert.deepEqual(verdict.failures.map(say), []);
  assert.deepEqual(verdict.missing, []);
  // The set of this version of the suite; a smaller one would mean that it was read wrongly.
  assert.equal(verdict.required, 30);
  assert.ok(verdict.checks >= 60, `only ${verdict.checks} checks`);
}
