// No shell reads what a configuration, a command line, a client or a server says: text that every shell would obey arrives
// as it is, and nothing of it happens.

import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, parseGatewayConfig } from '@mcp-overlay/config';
import { House, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { digestOf } from './secrets-town.ts';
import { commandBackend, fixture, stdioBackend } from './servers.ts';

/** Each makes a file in `folder` if a shell reads it, quoted or not. */
function orders(folder: string): string[] {
  const act = (name: string): string => `touch ${folder}/${name}`;
  return [
    `; ${act('semicolon')} ;`,
    `$(${act('dollar')})`,
    `\`${act('backtick')}\``,
    `| ${act('pipe')}`,
    `& ${act('ampersand')} &`,
    `&& ${act('and')}`,
    `|| ${act('or')}`,
    `\n${act('newline')}\n`,
    `"; ${act('double')}; "`,
    `'; ${act('single')}; '`,
    `'"\`$(${act('both')})\`"'`,
    `> ${folder}/redirect`,
    `<(${act('process')})`,
    `\${IFS}$(${act('ifs')})`,
    `() { :;}; ${act('function')}`,
    `%0a${act('percent')}`,
    `^|& ${act('cmd')}`,
    `-e ${act('flag')}`,
    `--eval=require('fs').writeFileSync('${folder}/node','')`,
    `~/$(${act('tilde')})`,
  ];
}

test('T30 shell text in a configuration reaches servers as it is, and no shell', async () => {
  await using house = await House.open();
  const folder = join(house.home, 'made');
  await mkdir(folder);
  const texts = orders(folder).map((text) => text.replace(/^~/, 'x~'));
  const written = texts.map((text) => text.replaceAll('$', '$$$$'));
  const argv = fixture('argv-server.mjs');
  const secret = fixture('secret-server.mjs');
  const commands = texts.map((text) =>
    JSON.stringify([process.execPath, '-e', 'process.stdout.write(process.argv[1])', '--', text]),
  );
  const token = await house.gateway([
    {
      id: 'argv',
      transport: {
        type: 'stdio',
        command: argv.command,
        args: [...argv.args, ...written],
        env: Object.fromEntries(written.map((text, at) => [`SECRET_${at}`, text])),
      },
    },
    commandBackend('cmd', secret, {
      inject: {
        env: Object.fromEntries(
          commands.map((command, at) => [`SECRET_${at}`, `cmd:${command.replaceAll('$', '$$$$')}`]),
        ),
      },
    }),
    ...texts.slice(0, 6).map((text, at) => ({
      id: `c${at}`,
      transport: { type: 'stdio', command: text.trim().replaceAll('$', '$$$$') },
    })),
  ]);
  await using agent = LineClient.spawn(house.agentProgram(token));
  const { instructions } = await agent.initialize();
  const told = /\{"argv".*\}/.exec(String(instructions).replaceAll('\n', ' '))?.[0];
  assert.ok(told, String(instructions));
  const { argv: got, env } = JSON.parse(told) as { argv: string[]; env: string[] };
  assert.deepEqual(got, texts);
  assert.deepEqual(env, texts.map((text, at) => `SECRET_${at}=${text}`).sort());
  const { digests } = (await agent.told('cmd__who')) as { digests: Record<string, string> };
  // A newline at the end of what a command prints is cut.
  assert.deepEqual(
    digests,
    Object.fromEntries(texts.map((text, at) => [`SECRET_${at}`, digestOf(text.replace(/\n$/, ''))])),
  );
  await house.untilStatus(token, ({ backends }) => backends.filter(({ state }) => state === 'failing').length === 6);
  assert.deepEqual(await readdir(folder), []);
});

test('T30 shell text in names, addresses and what servers and clients say is text', async () => {
  await using house = await House.open();
  const folder = join(house.home, 'made');
  await mkdir(folder);
  const texts = orders(folder);
  // A program for each would only measure the machine.
  for (const text of texts.slice(0, 4)) {
    for (const [program, ...args] of [
      ['tools', 'run', text, '--overlay', 'local'],
      ['gateway', 'status', text],
      ['gateway', 'check', text, '--offline'],
    ] as const) {
      const { code } = await runToEnd(house.program(program, ...args));
      assert.notEqual(code, 0, `${program} ${args.join(' ')}`);
    }
  }
  for (const text of texts) {
    for (const endpoint of [`javascript:${text}`, `file://${text}`, `http://${text}/`, text]) {
      const transport = { type: 'https', endpoint: endpoint.replaceAll('$', '$$$$') };
      const file = JSON.stringify({ backends: [{ id: 'a', transport }] });
      assert.throws(() => parseGatewayConfig(file, { file: 'g.json', env: {}, cwd: '/' }), ConfigError, endpoint);
    }
  }
  // The script of a server is an argument of its own, where ${…} would be a variable.
  const [first = '', second = ''] = texts;
  const plain = texts.filter((text) => !text.includes('${'));
  const token = await house.gateway([
    stdioBackend('one', {
      name: first,
      instructions: plain.join('\n'),
      atInitialized: [
        { do: 'tools', add: [second] },
        { do: 'print', text: plain.join(' '), stream: 'stderr' },
      ],
    }),
    stdioBackend('two'),
  ]);
  await using agent = LineClient.spawn(house.agentProgram(token));
  await agent.initialize({}, second);
  for (const text of texts) {
    assert.equal((await agent.told('two__echo', { nonce: text })).nonce, text);
    await agent.call(text, { text });
    await agent.request('resources/read', { uri: text });
  }
  await agent.toolNames();
  await house.status(token);
  assert.deepEqual(await readdir(folder), []);
});
