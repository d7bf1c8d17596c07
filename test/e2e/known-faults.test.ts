// What other gateways got wrong, one test each: every one is red against the behaviour named in its first line. Faults 1
// to 14 were seen in the Go original 0.1.3, those of 15 elsewhere.

import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { processesWith, scriptedServer, untilNoneWith } from '@mcp-overlay/relay/testing';
import { type Command, House, runToEnd } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { commandBackend, fixture, shareBackend, stdioBackend } from './servers.ts';

const onLinux = process.platform === 'linux' ? {} : { skip: 'reads /proc' };

describe('faults of other gateways', () => {
  test('1. more than one page of tools: all pages arrive, in order', async () => {
    // The original showed the first page of a backend, and cut what it had at 1000.
    await using house = await House.open();
    const paged = scriptedServer({ name: 'paged', pageSize: 50, extraTools: 1500, tools: ['echo'] });
    const bridge = await house.bridge(paged.command, ...paged.args);
    const token = await house.gateway([
      shareBackend('paged', bridge),
      stdioBackend('small', { pageSize: 1, tools: ['echo', 'pid'] }),
    ]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const extra = Array.from({ length: 1500 }, (_, n) => `paged__extra_${n}`);
    assert.deepEqual(await agent.toolNames(), ['paged__echo', ...extra, 'small__echo', 'small__pid']);
    assert.equal((await agent.told('paged__extra_1499', { nonce: 'last' })).nonce, 'last');
    assert.equal((await agent.all('resources/list', 'resources')).length, 6);
    assert.equal((await agent.all('prompts/list', 'prompts')).length, 4);
  });

  test('2. _meta, progress token, title, icons and annotations survive', async () => {
    // The original rebuilt tools field by field, dropped _meta of requests and the progress token.
    await using house = await House.open();
    const server = scriptedServer({ name: 'plain' });
    await using direct = LineClient.spawn({ command: server.command, args: server.args, env: {} });
    await direct.initialize();
    const bridge = await house.bridge(server.command, ...server.args);
    const token = await house.gateway([shareBackend('far', bridge), commandBackend('near', server)]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const own = await direct.all('tools/list', 'tools');
    const named = (backend: string): Json[] => own.map((tool) => ({ ...tool, name: `${backend}__${tool.name}` }));
    assert.deepEqual(await agent.all('tools/list', 'tools'), [...named('far'), ...named('near')]);

    const _meta = { progressToken: 'p/1', 'vendor.example/trace': { id: [1, 2.5, null, 'ä'] } };
    assert.deepEqual((await agent.told('far__echo', {}, _meta)).meta, _meta);
    await agent.call('far__progress', { steps: 3 }, _meta);
    const steps = agent.lines.filter(({ value }) => value?.method === 'notifications/progress');
    assert.deepEqual(
      steps.map(({ value }) => value?.params),
      [1, 2, 3].map((n) => ({ progressToken: 'p/1', progress: n, total: 3, message: `step ${n}` })),
    );
    assert.deepEqual((await agent.call('near__contents')).result?._meta, { 'example.com/result': [1, 'two'] });
  });

  test('3. resources, prompts, completions, logging, sampling, elicitation and roots cross', async () => {
    // The original answered with empty lists, refused sampling in the client's name and told servers that there are no roots.
    await using house = await House.open();
    const server = scriptedServer({ name: 'far' });
    const bridge = await house.bridge(server.command, ...server.args);
    const token = await house.gateway([shareBackend('far', bridge), stdioBackend('near')]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    agent.answers.set('sampling/createMessage', ({ systemPrompt }) => ({
      role: 'assistant',
      model: 'm',
      content: { type: 'text', text: `said ${String(systemPrompt)}` },
    }));
    agent.answers.set('elicitation/create', () => ({ action: 'accept', content: { name: 'Ada' } }));
    agent.answers.set('roots/list', () => ({ roots: [{ uri: 'file:///only' }] }));
    await agent.initialize({ sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } });
    for (const id of ['far', 'near']) {
      const uris = (await agent.all('resources/list', 'resources')).map(({ uri }) => uri);
      assert.ok(uris.includes(`${id}+scripted://text`), uris.join());
      const read = await agent.request('resources/read', { uri: `${id}+scripted://text` });
      assert.ok(read.raw.includes(`"uri":"${id}+scripted://text"`), read.raw);
      const prompt = await agent.request('prompts/get', { name: `${id}__greet`, arguments: { name: 'Ada' } });
      assert.match(prompt.raw, /Greet Ada in english/);
      const completed = await agent.request('completion/complete', {
        ref: { type: 'ref/prompt', name: `${id}__greet` },
        argument: { name: 'language', value: 'f' },
      });
      assert.match(completed.raw, /"values":\["finnish","french"\]/);
      const asks: readonly [string, Json, RegExp][] = [
        ['sampling/createMessage', { systemPrompt: id, messages: [], maxTokens: 1 }, new RegExp(`said ${id}`)],
        ['elicitation/create', { message: 'who?', requestedSchema: { type: 'object' } }, /Ada/],
        ['roots/list', {}, /file:\/\/\/only/],
      ];
      for (const [method, params, expected] of asks) {
        assert.match((await agent.call(`${id}__ask`, { method, params })).raw, expected);
      }
    }
    assert.deepEqual((await agent.request('logging/setLevel', { level: 'error' })).result, {});
    await agent.call('far__log', { level: 'info', data: 'too low' });
    await agent.call('far__log', { level: 'error', data: 'high' });
    await agent.heard('notifications/message', ({ data }) => data === 'high');
    assert.ok(!agent.lines.some(({ raw }) => raw.includes('too low')));
  });

  test("4. a backend's list_changed reaches the agent, and the list has changed", async () => {
    // The original advertised listChanged and dropped the notification.
    await using house = await House.open();
    const server = scriptedServer({ name: 'far' });
    const bridge = await house.bridge(server.command, ...server.args);
    const token = await house.gateway([shareBackend('far', bridge), stdioBackend('near')]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    await agent.toolNames();
    const from = agent.lines.length;
    await agent.call('far__act', { acts: [{ do: 'tools', add: ['fresh'], remove: ['echo_twin'] }] });
    await agent.heard('notifications/tools/list_changed', () => true, from);
    const names = await agent.toolNames();
    assert.ok(names.includes('far__fresh'));
    assert.ok(!names.includes('far__echo_twin'));
    assert.ok(names.includes('near__echo_twin'));
    assert.equal((await agent.told('far__fresh', { nonce: 'new' })).tool, 'fresh');
  });

  test('5. one dead backend: the others list and work; the dead one is named as such', async () => {
    // The original did not start at all, or failed the whole session.
    await using house = await House.open();
    const token = await house.gateway([
      commandBackend('gone', { command: '/nonexistent/server', args: [] }),
      stdioBackend('alive'),
      shareBackend('nobody', 'no-such-share'),
    ]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    assert.ok((await agent.toolNames()).every((name) => name.startsWith('alive__')));
    assert.equal((await agent.told('alive__echo', { nonce: 'n' })).nonce, 'n');
    const { error } = await agent.call('gone__anything');
    assert.match(error?.message ?? '', /backend gone .*\/nonexistent\/server/);
    assert.equal(error?.data?.error, 'backend_unavailable');
    assert.equal(error?.data?.backend, 'gone');
    const { backends } = await house.untilStatus(token, (s) => s.backends.every((b) => b.state !== 'starting'));
    assert.deepEqual(
      backends.map(({ id, state }) => [id, state]),
      [
        ['gone', 'failing'],
        ['alive', 'up'],
        ['nobody', 'failing'],
      ],
    );
    assert.match(backends[0]?.reason ?? '', /\/nonexistent\/server/);
    assert.match(backends[2]?.reason ?? '', /no-such-share/);
  });

  test('6. backends start side by side, not one after the other', async () => {
    // The original started the next one when the one before was ready: these wait for each other.
    await using house = await House.open();
    const folder = await mkdtemp(join(tmpdir(), 'rendezvous-'));
    try {
      const token = await house.gateway([
        commandBackend('left', fixture('rendezvous-server.mjs', folder, 'left', 'right')),
        commandBackend('right', fixture('rendezvous-server.mjs', folder, 'right', 'left')),
      ]);
      await using agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize();
      assert.deepEqual(await agent.toolNames(), ['left__here', 'right__here']);
      assert.match((await agent.call('right__here')).raw, /"text":"right"/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('7. a child sees only its declared variables and a short safe set', async () => {
    // The original, and every plain spawn, hands down all that we have.
    await using house = await House.open();
    const secret = { CANARY_TOKEN: 'canary-1', AWS_SECRET_ACCESS_KEY: 'canary-2', PASSED: 'passed', NODE_OPTIONS: '' };
    const withSecrets = (program: Command): Command => ({ ...program, env: { ...program.env, ...secret } });
    const server = scriptedServer();
    const bridge = await house.start(
      withSecrets(
        house.program(
          'bridge',
          '--overlay',
          'local',
          '--env',
          'PASSED',
          '--env',
          'SET=1',
          server.command,
          ...server.args,
        ),
      ),
    );
    const near = stdioBackend('near');
    const transport = { ...near.transport, env: { SET: '2' }, env_pass: ['PASSED'] };
    const file = await house.config([shareBackend('far', bridge.ready.share_token ?? ''), { id: 'near', transport }]);
    const gateway = await house.start(withSecrets(house.gatewayProgram(file)));
    await using agent = LineClient.spawn(withSecrets(house.agentProgram(gateway.ready.share_token ?? '')));
    await agent.initialize();
    for (const [id, set] of Object.entries({ far: '1', near: '2' })) {
      const { env } = (await agent.told(`${id}__env`)) as { env: Record<string, string> };
      assert.equal(env.PASSED, 'passed', id);
      assert.equal(env.SET, set, id);
      assert.ok(env.PATH, id);
      assert.ok(!JSON.stringify(env).includes('canary'), `${id}: ${Object.keys(env).join()}`);
      assert.equal(env.MCP_OVERLAY_HOME, undefined, id);
      assert.equal(env.NODE_OPTIONS, undefined, id);
    }
  });

  test('8. a documented variable is expanded, $$ is a dollar, ~ the home; a missing variable ends the start', async () => {
    // The original documented ${VAR} and passed it on as it stood.
    await using house = await House.open();
    const home = await mkdtemp(join(tmpdir(), 'home-'));
    try {
      await mkdir(join(home, 'work'));
      const backend = stdioBackend('only');
      const env = { ONE: `\${GIVEN}`, TWO: `\${ABSENT:-fallback}`, THREE: '$$5' };
      const transport = { ...backend.transport, env, working_dir: '~/work' };
      const program = house.gatewayProgram(await house.config([{ id: 'only', transport }]));
      const gateway = await house.start({ ...program, env: { ...program.env, HOME: home, GIVEN: 'given' } });
      await using agent = LineClient.spawn(house.agentProgram(gateway.ready.share_token ?? ''));
      await agent.initialize();
      const told = (await agent.told('env')) as { env: Record<string, string>; cwd: string };
      assert.equal(told.env.ONE, 'given');
      assert.equal(told.env.TWO, 'fallback');
      assert.equal(told.env.THREE, '$5');
      assert.equal((await stat(told.cwd)).ino, (await stat(join(home, 'work'))).ino);

      const missing = await runToEnd(program);
      assert.equal(missing.code, 2);
      assert.match(missing.stderr, /GIVEN/);
      assert.match(missing.stderr, /gateway-1\.yml:\d+:\d+/);
      assert.equal(missing.stdout, '');
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  test('9. the documented separator is the real one, and every public name fits where agents take it', async () => {
    // The original documented ":" and used "_", so that names of two backends could meet.
    await using house = await House.open();
    const long = 'a'.repeat(60);
    const add = [long, 'dots.and spaces/häuser'];
    const odd = stdioBackend('odd', { tools: ['echo'], atInitialized: [{ do: 'tools', add }] });
    const separators: readonly [string | undefined, string][] = [
      [undefined, '__'],
      ['-', '-'],
      [':', '_'],
    ];
    for (const [separator, shown] of separators) {
      const more = separator === undefined ? {} : { aggregator: { separator } };
      const token = await house.gateway([odd, stdioBackend('other', { tools: ['echo'] })], more);
      await using agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize();
      await agent.call(`odd${shown}echo`);
      const names = await agent.toolNames();
      assert.ok(names.includes(`odd${shown}echo`), names.join());
      assert.equal(names.length, 4);
      for (const name of names) {
        assert.match(name, /^[a-zA-Z0-9_-]{1,64}$/);
        assert.equal(typeof (await agent.told(name)).pid, 'number', name);
      }
    }
  });

  test('10. a share is closed to strangers by default (local: to other users of the machine)', async () => {
    // The original opened its share to everybody who knew the token. Here the folder of the sockets is the door.
    await using house = await House.open();
    const token = await house.gateway([stdioBackend('only')]);
    for (const folder of [house.home, join(house.home, 'run'), join(house.home, 'shares'), join(house.home, 'admin')]) {
      assert.equal((await stat(folder)).mode & 0o077, 0, folder);
    }
    await chmod(join(house.home, 'run'), 0o755);
    try {
      await using agent = LineClient.spawn(house.agentProgram(token));
      const { error } = await agent.request('initialize', {}).catch((cause: Error) => ({ error: cause }));
      assert.match(error?.message ?? '', /state folder|open to others/);
      assert.equal(await agent.end(), 2);
      assert.match(agent.ends.stderr(), /chmod 700/);
    } finally {
      await chmod(join(house.home, 'run'), 0o700);
    }
  });

  test('11. no argument, result, variable or prompt of a call is in any log, at the lowest level', async () => {
    // The original logged arguments as they came.
    await using house = await House.open();
    const canary = 'canary-7f3a9';
    const server = scriptedServer({ name: 'far' });
    const level = ['--log-level', 'debug'];
    const bridge = await house.start(
      house.program('bridge', '--overlay', 'local', ...level, '--env', `KEY=${canary}`, server.command, ...server.args),
    );
    const near = stdioBackend('near');
    const file = await house.config([
      shareBackend('far', bridge.ready.share_token ?? ''),
      { id: 'near', transport: { ...near.transport, env: { KEY: canary } } },
    ]);
    const gateway = await house.start(house.gatewayProgram(file, ...level));
    await using agent = LineClient.spawn(house.agentProgram(gateway.ready.share_token ?? '', ...level));
    agent.answers.set('elicitation/create', () => ({ action: 'accept', content: { secret: canary } }));
    await agent.initialize({ elicitation: {} });
    for (const id of ['far', 'near']) {
      await agent.call(`${id}__echo`, { nonce: canary }, { [canary]: canary });
      await agent.call(`${id}__refuse`, { message: canary });
      await agent.call(`${id}__fail`, { message: canary });
      await agent.call(`${id}__env`);
      await agent.call(`${id}__ask`, { method: 'elicitation/create', params: { message: canary } });
      await agent.request('prompts/get', { name: `${id}__greet`, arguments: { name: canary } });
      await agent.request('completion/complete', {
        ref: { type: 'ref/prompt', name: `${id}__greet` },
        argument: { name: 'name', value: canary },
      });
    }
    await agent.ask(
      '"broken"',
      'tools/call',
      `{"name":"near__echo","arguments":${'['.repeat(80)}"${canary}"${']'.repeat(80)}}`,
    );
    assert.equal(await agent.end(), 0);
    for (const [name, text] of Object.entries({
      gateway: gateway.stderr(),
      bridge: bridge.stderr(),
      agent: agent.ends.stderr(),
    })) {
      assert.notEqual(text, '', name);
      assert.ok(!text.includes(canary), `${name}: ${text.split('\n').find((line) => line.includes(canary))}`);
    }
  });

  test('12. killing us kills grandchildren as well (sh -> node)', onLinux, async () => {
    // The original left one orphan per session, and one from discovery.
    await using house = await House.open();
    const deaf = { ignoreEof: true, ignoreSigterm: true } as const;
    const near = scriptedServer({ name: 'near', ...deaf, atStart: [{ do: 'spawn', via: 'sh', deaf: true }] });
    const far = scriptedServer({ name: 'far', ...deaf, atStart: [{ do: 'spawn', deaf: true }] });
    const inShell = ({ command, args }: typeof near): string[] => ['-c', '"$@"; exit $?', 'sh', command, ...args];
    const bridge = await house.start(house.program('bridge', '--overlay', 'local', '--', '/bin/sh', ...inShell(far)));
    const token = bridge.ready.share_token ?? '';
    const file = await house.config([
      shareBackend('far', token),
      commandBackend('near', { command: '/bin/sh', args: inShell(near) }),
    ]);
    const gateway = await house.start(house.gatewayProgram(file));
    await using agent = LineClient.spawn(house.agentProgram(gateway.ready.share_token ?? ''));
    await agent.initialize();
    await agent.call('far__pid');
    await agent.call('near__pid');
    assert.ok(processesWith(near.marker).length >= 3);
    assert.ok(processesWith(far.marker).length >= 3);
    await gateway.end('SIGKILL');
    await bridge.end('SIGKILL');
    await untilNoneWith(near.marker, 20_000);
    await untilNoneWith(far.marker, 20_000);
  });

  test("13. mcp-tools dials again after the gateway's restart", async () => {
    // With the original the agent's session was dead for good.
    await using house = await House.open();
    const token = await house.createShare('steady');
    const program = house.gatewayProgram(await house.config([stdioBackend('only')], { share: { token } }));
    const first = await house.start(program);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const { pid } = await agent.told('pid');
    await first.end('SIGKILL');
    await house.start(program);
    const after = await agent.told('pid');
    assert.notEqual(after.pid, pid);
  });

  test('14. nothing but MCP ever appears on stdout', async () => {
    // Of the original's programs, a library's log lines did (issue 16).
    await using house = await House.open();
    const noise = [
      { do: 'garbage', kind: 'non_json' },
      { do: 'print', text: 'stray', stream: 'stderr' },
      { do: 'garbage', kind: 'not_json_rpc' },
      { do: 'garbage', kind: 'partial_json' },
      { do: 'garbage', kind: 'invalid_utf8' },
    ] as const;
    const noisy = scriptedServer({ name: 'noisy', atStart: noise, atCall: { '*': noise } });
    const bridge = await house.bridge(noisy.command, ...noisy.args);
    const token = await house.gateway([shareBackend('far', bridge), commandBackend('near', noisy)]);
    await using agent = LineClient.spawn(house.agentProgram(token, '--log-level', 'debug'));
    await agent.initialize();
    for (const id of ['far', 'near']) assert.equal((await agent.told(`${id}__echo`, { nonce: 1 })).nonce, 1);
    assert.equal(await agent.end(), 0);
    await using nowhere = LineClient.spawn(house.agentProgram('no-such-share', '--log-level', 'debug'));
    const refused = await nowhere.request('initialize', { protocolVersion: '2025-11-25', capabilities: {} });
    assert.match(refused.error?.message ?? '', /no-such-share/);
    assert.equal(await nowhere.end(), 4);
    for (const { raw, value } of [...agent.lines, ...nowhere.lines]) assert.equal(value?.jsonrpc, '2.0', raw);
    const usage = await runToEnd(house.program('tools', 'run'));
    assert.deepEqual([usage.code, usage.stdout], [2, '']);
  });

  test('15a. a permission binds to a backend and its own name: an alias redirects nothing', async () => {
    // ToolHive judged by public names: a rename turned one tool's permission into another's.
    await using house = await House.open();
    const tools = { mode: 'deny', list: ['env', 'b__pid'] };
    const token = await house.gateway([
      stdioBackend('a', { tools: ['env', 'pid', 'echo'] }, { prefix: 'b__', tools }),
      stdioBackend('b', { tools: ['env', 'echo_twin'] }, { prefix: 'a__' }),
    ]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    assert.deepEqual(await agent.toolNames(), ['b__echo', 'b__pid', 'a__echo_twin', 'a__env']);
    assert.equal((await agent.told('b__echo')).server, 'a');
    assert.equal((await agent.told('a__echo_twin')).server, 'b');
    const hidden = await agent.call('b__env');
    const unknown = await agent.call('b__never_was');
    assert.equal(hidden.error?.message, unknown.error?.message.replace('b__never_was', 'b__env'));
    assert.equal(hidden.error?.code, unknown.error?.code);
  });

  test('15b. two callers never share a session of a backend', async () => {
    // IBM/mcp-context-forge#4205.
    await using house = await House.open();
    const server = scriptedServer({ name: 'far' });
    const bridge = await house.bridge(server.command, ...server.args);
    const token = await house.gateway([shareBackend('far', bridge), stdioBackend('near')]);
    await using one = LineClient.spawn(house.agentProgram(token));
    await using other = LineClient.spawn(house.agentProgram(token));
    await Promise.all([one.initialize(), other.initialize()]);
    for (const id of ['far', 'near']) {
      await one.told(`${id}__state`, { value: 'of one' });
      const { before, pid } = await other.told(`${id}__state`, { value: 'of the other' });
      assert.equal(before, null);
      const mine = await one.told(`${id}__state`, {});
      assert.equal(mine.before, 'of one');
      assert.notEqual(mine.pid, pid);
    }
  });

  test('15c. one name longer than 64 characters does not break the list', async () => {
    // anthropics/claude-code#19882: the agent refused all tools of the server.
    await using house = await House.open();
    const long = (end: string): string => `${'very_long_name_'.repeat(8)}${end}`;
    const add = [long('x'), long('y')];
    const token = await house.gateway([
      stdioBackend('first', { tools: ['echo'], atInitialized: [{ do: 'tools', add }] }),
      stdioBackend('second', { tools: ['echo'] }),
    ]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    await agent.call('first__echo');
    const names = await agent.toolNames();
    assert.equal(new Set(names).size, 4);
    for (const name of names) assert.ok(name.length <= 64, name);
    const told = await Promise.all(names.map((name) => agent.told(name)));
    assert.deepEqual(told.map(({ tool }) => tool).toSorted(), ['echo', 'echo', ...add]);
  });

  test('15d. cutting the last lines of the audit is found, by the numbers that callers kept', async () => {
    await using house = await House.open();
    const share = await house.createShare('cut');
    const config = await house.config([stdioBackend('one')], { share: { token: share }, audit: { path: './audit' } });
    const gateway = await house.start(house.gatewayProgram(config));
    const agent = LineClient.spawn(house.agentProgram(share));
    await agent.initialize();
    for (let call = 0; call < 3; call += 1) await agent.told('echo', { nonce: `${call}` });
    await agent.end();
    await gateway.end();
    const receipts = join(house.home, 'receipts.jsonl');
    const kept = house.program('tools', 'receipts', share, '-o', receipts, '--overlay', 'local');
    assert.equal((await runToEnd(kept)).code, 0);
    const verify = () => runToEnd(house.program('gateway', 'audit', 'verify', config, '--anchor', receipts));
    assert.equal((await verify()).code, 0);
    const files = await readdir(join(house.home, 'audit'), { recursive: true });
    const segment = join(house.home, 'audit', files.find((file) => /\d{10}\.jsonl$/.test(file)) ?? '');
    const lines = (await readFile(segment, 'utf8')).split('\n');
    await writeFile(segment, `${lines.slice(0, 3).join('\n')}\n`);
    const { code, stdout } = await verify();
    assert.equal(code, 1, stdout);
    assert.match(stdout, /truncated/);
  });
});
