// What people get wrong, each against the built programs with its exact message: it is said where it went wrong and what
// to do, the exit code tells use (2), refusal (3) and reach (4) apart, and what can go on goes on. What agents and servers
// get wrong: ./bad-messages.test.ts.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Connection, createLocalOverlay } from '@mcp-overlay/overlay';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { type Command, House, runToEnd } from './harness.ts';
import { type Json, LineClient, type Reply } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';

const onLinux = process.platform === 'linux' ? {} : { skip: '/dev/full is a file of Linux' };

/** A configuration that is wrong, and all that the program says of it after the file's name. */
const WRONG_FILES: readonly (readonly [what: string, name: string, text: string, says: string])[] = [
  [
    'broken YAML, with line and column',
    'a.yml',
    'backends:\n  - id: files\n   transport: { type: stdio, command: cat }\n',
    ':3:1: not valid YAML: sequence item without - indicator (config_invalid)',
  ],
  [
    'broken JSON, with line and column',
    'a.json',
    '{\n  "mcpServers": {\n    "files": { "command": "cat",, }\n  }\n}\n',
    ':3:33: not valid JSON: expected a key in double quotes or } (got ",") (config_invalid)',
  ],
  [
    'an unknown key, with the nearest known one',
    'a.yml',
    'backends:\n  - id: files\n    transport: { type: stdio, command: cat, workingdir: /tmp }\n',
    ':3:45: backends[0].transport.workingdir: unknown key (config_invalid)\n  did you mean working_dir?',
  ],
  [
    'a missing command',
    'a.yml',
    'backends:\n  - id: files\n    transport: { type: stdio, args: [x] }\n',
    ':3:16: backends[0].transport.command: missing: the program to run (type stdio needs it) (config_invalid)',
  ],
  [
    'a variable that is not set',
    'a.yml',
    'backends:\n  - id: files\n    transport: { type: stdio, command: cat, env: { KEY: "${NOT_SET_HERE}" } }\n',
    ':3:57: backends[0].transport.env.KEY: variable NOT_SET_HERE is not set (config_invalid)\n' +
      '  set it, or write ${NOT_SET_HERE:-default}',
  ],
  [
    'a port in place of a share',
    'a.yml',
    'backends:\n  - id: far\n    transport: { type: share, share_token: 8080 }\n',
    ':3:44: backends[0].transport.share_token: expected a share token, but that is a port (got 8080) (config_invalid)\n' +
      '  a share token looks like my-gateway or x7k2mq9w0abc; the host prints it',
  ],
  [
    'an address in place of a share',
    'a.yml',
    'backends:\n  - id: far\n    transport: { type: zrok, share_token: "127.0.0.1:8080" }\n',
    ':3:43: backends[0].transport.share_token: expected a share token, but that is an address (got "127.0.0.1:8080")' +
      ' (config_invalid)\n  a share token looks like my-gateway or x7k2mq9w0abc; the host prints it',
  ],
];

describe('bad input', () => {
  test('a wrong file is refused by run and check alike: exit 2, where it is, what was expected', async () => {
    await using house = await House.open();
    for (const [what, name, text, says] of WRONG_FILES) {
      const file = join(house.home, name);
      await writeFile(file, text);
      for (const args of [['run'], ['check'], ['check', '--offline']]) {
        const { code, stdout, stderr } = await runToEnd(house.program('gateway', ...args, file));
        const wanted = { code: 2, stdout: '', stderr: `mcp-gateway: ${file}${says}\n` };
        assert.deepEqual({ code, stdout, stderr }, wanted, `${what}: ${args.join(' ')}`);
        if (what !== WRONG_FILES[0]?.[0]) break;
      }
    }
  });

  test('all problems of a file are told at once, in file order', async () => {
    await using house = await House.open();
    const file = join(house.home, 'a.yml');
    await writeFile(file, 'backend:\n  - { id: a }\nbackends:\n  - id: b__c\n    transport: { type: stido }\n');
    const { code, stderr } = await runToEnd(house.program('gateway', 'check', file));
    assert.equal(code, 2);
    const lines = stderr.trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => /:(\d+:\d+): /.exec(line)?.[1]),
      ['1:1', '4:9', '5:24'],
    );
    assert.match(stderr, /^mcp-gateway: .*backend: unknown key; did you mean backends\?$/m);
    assert.match(stderr, /transport\.type: .*did you mean stdio\?/);
  });

  test('started where no folder is any more: that is said, by each program', async () => {
    await using house = await House.open();
    for (const [program, ...words] of [
      ['tools', 'list'],
      ['gateway', 'status'],
      ['bridge', 'cat'],
    ] as const) {
      const { command, args, env } = house.program(program, ...words);
      const gone = join(house.home, 'gone');
      const line = 'mkdir "$0" && cd "$0" && rmdir "$0" && exec "$@"';
      const { code, stdout, stderr } = await runToEnd({
        command: 'sh',
        args: ['-c', line, gone, command, ...args],
        env,
      });
      const said = 'the folder in which this was started is gone (usage)\n  cd to another one\n';
      assert.deepEqual({ code, stdout, stderr }, { code: 2, stdout: '', stderr: said }, program);
    }
  });

  test('a token that does not exist: an error to initialize and on stderr, exit 4, at once', async () => {
    await using house = await House.open();
    const { code, stdout, stderr } = await initializeOnce(house.agentProgram('no-such-share'));
    assert.equal(code, 4);
    const { error } = JSON.parse(stdout) as Reply;
    assert.equal(error?.code, -31054);
    assert.match(
      error?.message ?? '',
      /^share no-such-share has not been reachable since .*: share no-such-share does not exist$/,
    );
    assert.deepEqual({ ...error?.data, since: '' }, { error: 'share_unreachable', share: 'no-such-share', since: '' });
    assert.equal(
      stderr,
      'mcp-tools: share no-such-share does not exist (share_unknown)\n' +
        '  mcp-tools list shows the shares there are; a token is what the host of a share prints\n',
    );
  });

  test('a share that nobody hosts now: looked for, for 20 s, then an error to initialize and exit 4', async () => {
    await using house = await House.open();
    const token = await house.createShare('nobody-there');
    const late = await house.createShare('late-bridge');
    const before = Date.now();
    const vain = initializeOnce(house.agentProgram(token));
    // Meanwhile: a host that starts within that time is found.
    await using agent = LineClient.spawn(house.agentProgram(late));
    const hello = agent.initialize();
    const { command, args } = scriptedServer({ name: 'late' });
    await house.bridge('--share-token', late, command, ...args);
    assert.equal(((await hello).serverInfo as Json).name, 'late');

    const { code, stdout, stderr } = await vain;
    assert.ok(Date.now() - before >= 20_000);
    assert.equal(code, 4);
    const { error } = JSON.parse(stdout) as Reply;
    assert.equal(
      error?.message.replace(/since \S+:/, 'since …:'),
      'share nobody-there has not been reachable since …: nobody hosts share nobody-there now',
    );
    assert.equal(
      stderr,
      'mcp-tools: nobody hosts share nobody-there now (share_not_hosted)\n  start the gateway or bridge that hosts it\n',
    );
  });

  test('a host of an older program, or that will have nobody, is told from a host that is away, at once', async () => {
    await using house = await House.open();
    const answers: readonly (readonly [answer: string, code: number, says: string])[] = [
      [
        'MCP-LINK/0 {}\n',
        4,
        'the host speaks link version 0, this program speaks 1 (link_version)\n  update the older of the two programs',
      ],
      [
        'MCP-LINK/1 {"error":{"code":"too_old","reason":"this host knows nothing of sessions"}}\n',
        3,
        'the host refused: this host knows nothing of sessions (link_refused)',
      ],
      [
        'MCP-LINK/1 {"error":{"code":"cycle","reason":"this gateway is a backend of itself"}}\n',
        4,
        'the host refused: this gateway is a backend of itself (link_unavailable)',
      ],
      ['SSH-2.0-OpenSSH_9.6\r\n', 4, 'the host sent a first line that is no link preamble (link_protocol)'],
    ];
    for (const [answer, code, says] of answers) {
      await using host = await fakeHost(house, answer);
      const seen = await initializeOnce(house.agentProgram(host.token));
      assert.equal(
        seen.stderr.split('\n').slice(0, says.split('\n').length).join('\n'),
        `mcp-tools: share ${host.token}: ${says}`,
      );
      assert.equal(seen.code, code, seen.stderr);
      assert.equal((JSON.parse(seen.stdout) as Reply).error?.data?.error, 'share_unreachable');
    }
  });

  test('mcp-tools http: what is not loopback is refused, a port that is taken is named', async () => {
    await using house = await House.open();
    const token = await house.createShare('my-gateway');
    const door = (bind: string) =>
      runToEnd(house.program('tools', 'http', token, '--overlay', 'local', '--bind', bind));
    for (const bind of ['0.0.0.0:8080', '[::]:8080', '192.168.1.2:8080', 'example.org:8080', '127.0.0.2:8080']) {
      const { code, stdout, stderr } = await door(bind);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
      assert.equal(
        stderr,
        `mcp-tools: --bind ${bind} is not a loopback address (usage)\n` +
          '  use 127.0.0.1:PORT, [::1]:PORT or unix:/absolute/path\n',
      );
    }
    const other = createServer().listen({ host: '127.0.0.1', port: 0 });
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stdout, stderr } = await door(`127.0.0.1:${port}`);
    other.close();
    assert.deepEqual({ code, stdout }, { code: 2, stdout: '' });
    assert.equal(
      stderr,
      `mcp-tools: 127.0.0.1:${port} is in use by another program (usage)\n  choose another with --bind 127.0.0.1:PORT\n`,
    );
    const path = join(house.home, 'door.sock');
    await house.start(house.program('tools', 'http', token, '--overlay', 'local', '--bind', `unix:${path}`));
    const second = await door(`unix:${path}`);
    assert.equal(second.code, 2);
    assert.match(second.stderr, /^mcp-tools: --bind unix:.*door\.sock: .*\n {2}choose another with --bind unix:/);
  });

  test('a state folder that others can open is refused by every command: exit 2, with the remedy', async () => {
    await using house = await House.open();
    const config = await house.config([stdioBackend('near')]);
    const open = join(house.home, 'open');
    await mkdir(open);
    await chmod(open, 0o755);
    const commands: readonly (readonly ['gateway' | 'bridge' | 'tools', ...string[]])[] = [
      ['gateway', 'run', config],
      ['gateway', 'status'],
      ['bridge', 'cat'],
      ['tools', 'run', 'my-gateway'],
      ['tools', 'http', 'my-gateway'],
      ['tools', 'create'],
      ['tools', 'delete', 'my-gateway'],
      ['tools', 'list'],
      ['tools', 'status'],
    ];
    for (const [name, ...args] of commands) {
      const program = house.program(name, ...args, ...(name === 'bridge' ? [] : ['--log-level', 'silent']));
      const { code, stdout, stderr } = await runToEnd({ ...program, env: { ...program.env, MCP_OVERLAY_HOME: open } });
      const said = stderr.split('\n').filter((line) => !line.startsWith('{') && !line.includes(': overlay local: '));
      assert.deepEqual(
        { code, stdout, said },
        {
          code: 2,
          stdout: '',
          said: [
            `mcp-${name}: the state folder ${open} is open to others (mode 0755) (state_folder_unsafe)`,
            `  chmod 700 ${open}`,
            '',
          ],
        },
        args.join(' '),
      );
    }
  });

  test('a disk that is full for logs: every program goes on', onLinux, async () => {
    await using house = await House.open();
    const near = stdioBackend('near', { atStart: [{ do: 'print', text: 'a word on stderr', stream: 'stderr' }] });
    const file = await house.config([near], { log_file: '/dev/full' });
    const token = String((await house.start(house.gatewayProgram(file, '--log-level', 'debug'))).ready.share_token);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    assert.equal((await agent.told('echo', { nonce: 1 })).nonce, 1);

    const { command, args } = scriptedServer({ name: 'far', atStart: [{ do: 'flood', lines: 100 }] });
    const bridge = await house.start(onFullDisk(house.program('bridge', '--overlay', 'local', command, ...args)));
    const backends = [shareBackend('far', String(bridge.ready.share_token))];
    const gateway = await house.start(onFullDisk(house.gatewayProgram(await house.config(backends))));
    const far = house.agentProgram(String(gateway.ready.share_token), '--log-level', 'debug');
    await using deaf = LineClient.spawn(onFullDisk(far));
    await deaf.initialize();
    assert.equal((await deaf.told('echo', { nonce: 2 })).nonce, 2);
    assert.equal(await deaf.end(), 0);
  });
});

/** The same program with a stderr that takes nothing. */
function onFullDisk({ command, args, env }: Command): Command {
  return { command: '/bin/sh', args: ['-c', 'exec "$0" "$@" 2>/dev/full', command, ...args], env };
}

/** Sends one initialize; the program is to end by itself, with its input still open. */
async function initializeOnce({ command, args, env }: Command) {
  const child = spawn(command, [...args], { env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {});
  const clientInfo = { name: 'agent', version: '1.0.0' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Hosts a share that answers the first bytes of every connection with this. */
async function fakeHost(house: House, answer: string): Promise<AsyncDisposable & { token: string }> {
  const overlay = createLocalOverlay({ env: { MCP_OVERLAY_HOME: house.home } });
  const onConnection = (connection: Connection): void => {
    connection.on('error', () => {});
    connection.once('data', () => connection.end(answer));
  };
  const { share: token } = await overlay.listenEphemeral({ onConnection });
  return { token, [Symbol.asyncDispose]: () => overlay.close() };
}
