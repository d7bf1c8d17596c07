// What a person sees who starts `mcp-tools run` in a terminal: how to paste it, on stderr; and the entry that is printed
// works as it stands, from another folder and in an empty environment. The terminal is a real one, made by script(1).

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { type Command, House } from './harness.ts';
import { LineClient } from './line-client.ts';

const withTerminal = spawnSync('script', ['--version']).status === 0 ? {} : { skip: 'needs script(1) of util-linux' };
const CTRL_D = '\x04';

test('mcp-tools run in a terminal prints an entry that works as pasted', withTerminal, async () => {
  await using house = await House.open();
  const { command, args } = scriptedServer();
  const token = await house.bridge(command, ...args);
  const file = join(house.home, 'said.txt');
  // stderr goes into a file, so that it is told from what the terminal shows of stdout.
  const { env, ...program } = house.agentProgram(token);
  const line = [program.command, ...program.args, '2>', file].join(' ');
  const terminal = spawn('script', ['-qec', line, '/dev/null'], {
    env: { ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  terminal.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
  while (!shown.includes('"result"')) await once(terminal.stdout, 'data');
  terminal.stdin.write(CTRL_D);
  const [code] = (await once(terminal, 'close')) as [number | null];
  assert.equal(code, 0);
  // The terminal echoes what was typed; all else on stdout is MCP.
  const lines = shown.split(/\r?\n/).filter((one) => one.includes('{'));
  assert.ok(
    lines.every((one) => one.includes('"jsonrpc"')),
    shown,
  );

  const said = await readFile(file, 'utf8');
  const [first, ...rest] = said.split('\n');
  assert.equal(
    first,
    'mcp-tools: this speaks MCP on stdin and stdout; an agent starts it when this is in its configuration:',
  );
  const end = rest.indexOf('  }');
  assert.notEqual(end, -1, said);
  const { mcpServers } = JSON.parse(rest.slice(0, end + 1).join('\n')) as { mcpServers: Record<string, Command> };
  assert.deepEqual(Object.keys(mcpServers), [token]);
  const entry = mcpServers[token] as Command;
  assert.deepEqual(Object.keys(entry.env), ['MCP_OVERLAY_HOME']);
  const elsewhere = ['-c', 'cd / && exec "$0" "$@"', entry.command, ...entry.args];
  await using agent = LineClient.spawn({ command: '/bin/sh', args: elsewhere, env: entry.env });
  await agent.initialize();
  assert.equal((await agent.told('echo', { nonce: 'pasted' })).nonce, 'pasted');
});

test('mcp-tools run not in a terminal says nothing of it', async () => {
  await using house = await House.open();
  const { command, args } = scriptedServer();
  const token = await house.bridge(command, ...args);
  await using agent = LineClient.spawn(house.agentProgram(token, '--log-level', 'silent'));
  await agent.initialize();
  assert.equal(await agent.end(), 0);
  assert.equal(agent.ends.stderr(), '');
});
