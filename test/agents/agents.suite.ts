// Real agents make real tool calls through `mcp-tools run` and the HTTP door, with a server of each era behind the gateway
// and a model API on loopback in front. `npm run test:agents`; no part of `npm test`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fixtureCommand } from '../conformance/fixture.ts';
import { House, runToEnd } from '../e2e/harness.ts';
import { commandBackend, stdioBackend } from '../e2e/servers.ts';
import { installAgents } from './install.ts';
import { fakeModel } from './model.ts';
import { RUNS, type Server } from './settings.ts';

const record = fileURLToPath(new URL('./record.mjs', import.meta.url));
const installed = await installAgents();
const skip = 'impossible' in installed ? installed.impossible : false;
if (skip !== false) process.stderr.write(`SKIPPED: the agents are not installed: ${skip}\n`);

/** What each version of an agent speaks first. A newer one may speak a newer revision: look, then change this. */
const SPEAKS = { claude: '2026-07-28', codex: '2025-06-18', gemini: '2025-06-18' } as const;

for (const agent of ['claude', 'codex', 'gemini'] as const) {
  for (const door of ['run', 'http'] as const) {
    test(`${agent} through mcp-tools ${door}`, { skip }, async () => {
      if ('impossible' in installed) throw new Error(installed.impossible);
      await using house = await House.open();
      const [command, ...args] = fixtureCommand('modern');
      const gateway = await house.gateway([stdioBackend('old'), commandBackend('new', { command, args })]);
      await using model = await fakeModel(
        { toolEndsWith: 'old__echo', args: { nonce: 'to the old one' } },
        { toolEndsWith: 'new__greet', args: { name: 'the new one' } },
      );
      const file = join(house.home, 'said');
      await writeFile(file, '');
      await using server =
        door === 'run' ? byStdio(house, gateway, file) : await byHttp(await house.http(gateway), file);
      const home = join(house.home, 'agent');
      await mkdir(home);
      const program = await RUNS[agent]({ home, modelUrl: model.url, server: server.entry }, installed.agents);
      const { code, stdout, stderr } = await runToEnd(program);
      assert.equal(code, 0, stdout + stderr);
      const said = await readFile(file, 'utf8');
      assert.equal(spoken(said), SPEAKS[agent], said);
      if (agent === 'gemini') {
        assert.match(stdout + stderr, /gw: .* - Connected/);
        return;
      }
      const [old = '', fresh = ''] = model.results;
      assert.match(old, /to the old one/, `offered: ${model.offered.join(' ')}\n${stdout}${stderr}`);
      assert.match(fresh, /Hello, the new one!/, fresh);
      assert.equal(model.results.length, 2);
    });
  }
}

/** The revision that the agent used: of its session, or of each request where there is none. */
function spoken(said: string): unknown {
  const messages = said
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { method?: string; params?: Record<string, unknown> });
  const session = messages.find(({ method }) => method === 'initialize');
  if (session) return session.params?.protocolVersion;
  const [first] = messages;
  const meta = first?.params?._meta as Record<string, unknown> | undefined;
  return meta?.['io.modelcontextprotocol/protocolVersion'];
}

interface Recorded extends AsyncDisposable {
  readonly entry: Server;
}

function byStdio(house: House, gateway: string, file: string): Recorded {
  const { command, args, env } = house.agentProgram(gateway);
  const entry = { command: process.execPath, args: [record, file, command, ...args], env };
  return { entry, [Symbol.asyncDispose]: async () => {} };
}

/** A front of the door that keeps what is posted. */
async function byHttp(door: string, file: string): Promise<Recorded> {
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    await writeFile(file, `${body.toString('utf8')}\n`, { flag: 'a' });
    const { host: _host, ...headers } = request.headers;
    const up = httpRequest(door, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders();
      answer.on('error', () => response.destroy()).pipe(response);
    });
    up.on('error', () => response.destroy()).end(body);
    response.on('close', () => up.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    entry: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp` },
    async [Symbol.asyncDispose]() {
      server.close().closeAllConnections();
      await once(server, 'close');
    },
  };
}
