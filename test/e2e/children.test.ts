// The life and death of servers: one that dies in a session is there again in that session, one that fails, hangs or floods
// is named and left out, and none is left when its session, its host or its machine's patience ends.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { LIMITS } from '@mcp-overlay/relay';
import { type Act, processesWith, type ScriptedServer, scriptedServer } from '@mcp-overlay/relay/testing';
import { type Backend, type Command, House, type Running, runToEnd } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { commandBackend, shareBackend, stdioBackend } from './servers.ts';

const onLinux = process.platform === 'linux' ? {} : { skip: 'reads /proc' };
/** What is promised is 8 and 10 s; the rest is for a loaded machine. */
const GONE_MS = 25_000;

describe('a server that dies in a session', () => {
  for (const way of ['alone', 'alone behind a bridge', 'beside another', 'beside another, behind a bridge'] as const) {
    test(`${way}: its open call ends as unknown, the next one finds a new child, initialised like the first`, async () => {
      await using house = await House.open();
      const { token, prefix, uri } = await oneServer(house, way);
      await using agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize({ experimental: { 'example.com/mine': {} } }, 'its-name');
      const before = await agent.told(`${prefix}pid`);
      assert.deepEqual((await agent.request('logging/setLevel', { level: 'warning' })).result, {});
      for (const name of ['text', 'item/1', 'item/2']) {
        assert.deepEqual((await agent.request('resources/subscribe', { uri: uri(`scripted://${name}`) })).result, {});
      }
      assert.deepEqual((await agent.request('resources/unsubscribe', { uri: uri('scripted://item/2') })).result, {});
      const names = await agent.toolNames();
      const from = agent.lines.length;

      const open = agent.call(`${prefix}hang`);
      await agent.told(`${prefix}echo`);
      const killed = await agent.call(`${prefix}act`, { acts: [{ do: 'die', signal: 'SIGKILL' }] });
      for (const { error } of [await open, killed]) {
        assert.equal(error?.data?.error, 'outcome_unknown', JSON.stringify(error));
        assert.match(error?.message ?? '', /outcome unknown/);
        assert.match(error?.message ?? '', way.includes('bridge') ? /server|backend only/ : /backend only/);
      }

      const after = await agent.told(`${prefix}pid`);
      assert.notEqual(after.pid, before.pid);
      const seen = await agent.told(`${prefix}seen`);
      assert.equal(seen.level, 'warning');
      assert.deepEqual(seen.subscriptions, ['scripted://text', 'scripted://item/1']);
      assert.match(JSON.stringify(seen.client), /example\.com\/mine.*its-name|its-name.*example\.com\/mine/);
      assert.match(JSON.stringify(seen.notifications), /notifications\/initialized/);
      // The log message comes on a way of its own; the change that follows is a mark after it.
      await agent.heard('notifications/message', ({ data }) => /memory is gone/.test(String(data)), from);
      await agent.call(`${prefix}act`, { acts: [{ do: 'update', uri: 'scripted://text' }] });
      await agent.heard('notifications/resources/updated', (params) => params.uri === uri('scripted://text'), from);
      assert.deepEqual(await agent.toolNames(), names);
      assert.deepEqual(changes(agent, from), []);
    });
  }

  test('list_changed follows only for the list that changed', async () => {
    for (const way of ['alone behind a bridge', 'beside another'] as const) {
      await using house = await House.open();
      const { token, prefix } = await oneServer(house, way);
      await using agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize();
      await agent.call(`${prefix}act`, { acts: [{ do: 'tools', add: ['fresh'], silent: true }] });
      await agent.all('prompts/list', 'prompts');
      assert.ok((await agent.toolNames()).includes(`${prefix}fresh`));
      const from = agent.lines.length;
      await agent.call(`${prefix}act`, { acts: [{ do: 'die' }] });
      await agent.heard('notifications/tools/list_changed', () => true, from);
      assert.ok(!(await agent.toolNames()).includes(`${prefix}fresh`));
      assert.deepEqual(changes(agent, from), ['notifications/tools/list_changed']);
    }
  });

  test('the other sessions and backends never notice', async () => {
    await using house = await House.open();
    const { token } = await oneServer(house, 'beside another');
    await using one = LineClient.spawn(house.agentProgram(token));
    await using other = LineClient.spawn(house.agentProgram(token));
    await Promise.all([one.initialize(), other.initialize()]);
    const pids = await Promise.all([one.told('other__pid'), other.told('only__pid'), other.told('other__pid')]);
    const held = Promise.all([one.told('other__sleep', { ms: 500 }), other.told('only__sleep', { ms: 500 })]);
    await one.call('only__act', { acts: [{ do: 'die' }] });
    await held;
    const now = await Promise.all([one.told('other__pid'), other.told('only__pid'), other.told('other__pid')]);
    assert.deepEqual(now, pids);
    assert.ok(!other.lines.some(({ value }) => value?.method === 'notifications/message'));
  });

  test('a question it had asked is withdrawn, and a late answer goes nowhere', async () => {
    await using house = await House.open();
    const { token } = await oneServer(house, 'beside another');
    await using agent = LineClient.spawn(house.agentProgram(token));
    let answer: (result: Json) => void = () => {};
    agent.answers.set(
      'roots/list',
      () =>
        new Promise<Json>((resolve) => {
          answer = resolve;
        }),
    );
    await agent.initialize({ roots: {} });
    const asking = agent.call('only__ask', { method: 'roots/list' });
    await agent.line(({ value }) => value?.method === 'roots/list', 'roots/list');
    const killing = agent.call('only__act', { acts: [{ do: 'die' }] });
    assert.equal((await asking).error?.data?.error, 'outcome_unknown');
    await killing;
    const { requestId } = await agent.heard('notifications/cancelled');
    assert.equal(requestId, agent.asked[0]?.id);
    answer({ roots: [{ uri: 'file:///late' }] });
    agent.answers.set('roots/list', () => ({ roots: [{ uri: 'file:///second' }] }));
    assert.match((await agent.call('only__ask', { method: 'roots/list' })).raw, /file:\/\/\/second/);
  });
});

describe('a server that does not start', () => {
  test('each kind of failure is named in status and left out; the others list and work; a slow one joins', async () => {
    await using house = await House.open();
    // Long enough for a process to start on a machine that does ten other things.
    const brief = { connect_timeout: '8s' };
    const token = await house.gateway(
      [
        stdioBackend('fails', { atStart: [{ do: 'die', code: 3, stderr: 'no licence found' }] }, brief),
        stdioBackend('quits', { atStart: [{ do: 'die', code: 0 }] }, brief),
        stdioBackend('hangs', { unanswered: ['initialize'] }, brief),
        stdioBackend('floods', { atStart: [{ do: 'flood', lines: 0 }] }, brief),
        stdioBackend('deaf', { neverReads: true }, brief),
        stdioBackend('slow', { startDelayMs: 6000 }),
        stdioBackend('fine'),
      ],
      { aggregator: { connection: { list_wait: '1s' } } },
    );
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    const names = await agent.toolNames();
    assert.ok(names.length > 0);
    assert.ok(
      names.every((name) => name.startsWith('fine__')),
      names.join(),
    );
    assert.equal((await agent.told('fine__echo', { nonce: 1 })).nonce, 1);
    await agent.heard('notifications/tools/list_changed');
    await untilListed(agent, 'slow__echo');
    assert.equal((await agent.told('slow__echo', { nonce: 2 })).nonce, 2);

    const reasons: readonly [string, RegExp][] = [
      ['fails', /no licence found/],
      ['quits', /ended|exit|code 0/],
      ['hangs', /did not start within 8 s|no answer/],
      ['floods', /too much|flood|stray/],
      ['deaf', /did not start within 8 s|no answer/],
    ];
    const { backends } = await house.untilStatus(token, (s) =>
      reasons.every(([id]) => s.backends.find((b) => b.id === id)?.state === 'failing'),
    );
    for (const [id, expected] of reasons) assert.match(backends.find((b) => b.id === id)?.reason ?? '', expected, id);
    for (const id of ['slow', 'fine']) assert.equal(backends.find((b) => b.id === id)?.state, 'up');
    const { error } = await agent.call('fails__echo');
    assert.equal(error?.data?.backend, 'fails');
    assert.match(error?.message ?? '', /no licence found/);
    for (const name of await agent.toolNames()) assert.match(name, /^(fine|slow)__/);
    const table = await runToEnd(house.program('gateway', 'status', token));
    assert.match(table.stdout, /fails +stdio +failing .*no licence found/);
  });

  test('it comes back by itself, in a session that was open all the time', async () => {
    await using house = await House.open();
    const token = await house.gateway([fickle(house, 'fickle', 4), stdioBackend('fine')], {
      aggregator: { connection: { list_wait: '1s' } },
    });
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    assert.ok((await agent.toolNames()).every((name) => name.startsWith('fine__')));
    await agent.heard('notifications/tools/list_changed');
    await untilListed(agent, 'fickle__echo');
    assert.equal((await agent.told('fickle__echo', { nonce: 'back' })).nonce, 'back');
    await house.untilStatus(token, (s) => s.backends.every(({ state }) => state === 'up'));
  });

  test('one that is the only backend comes back as well, behind a bridge too', async () => {
    for (const bridged of [false, true]) {
      await using house = await House.open();
      const backend = fickle(house, 'only', 3);
      const { command, args } = backend.transport as { command: string; args: string[] };
      const only = bridged ? shareBackend('only', await house.bridge('--', command, ...args)) : backend;
      const token = await house.gateway([only], { aggregator: { connection: { list_wait: '500ms' } } });
      await using agent = LineClient.spawn(house.agentProgram(token));
      await agent.initialize();
      await untilListed(agent, 'echo');
      assert.equal((await agent.told('echo', { nonce: 'back' })).nonce, 'back');
    }
  });

  test('after five crashes its circuit is open, which status shows, and calls are refused at once', async () => {
    await using house = await House.open();
    const token = await house.gateway([
      stdioBackend('crashes', { atCall: { '*': [{ do: 'die' }] } }),
      stdioBackend('fine'),
    ]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    for (let crash = 0; crash < 5; crash += 1) {
      const { error } = await agent.call('crashes__echo');
      assert.equal(error?.data?.error, 'outcome_unknown', JSON.stringify(error));
    }
    const { error } = await agent.call('crashes__echo');
    assert.equal(error?.data?.error, 'backend_unavailable', JSON.stringify(error));
    assert.equal(error?.data?.backend, 'crashes');
    const { backends } = await house.status(token);
    assert.equal(backends[0]?.circuit, 'open');
    assert.equal((await agent.told('fine__echo', { nonce: 1 })).nonce, 1);
  });
});

describe('no process is left', { ...onLinux, concurrency: true }, () => {
  let house: House;
  before(async () => {
    house = await House.open();
  });
  after(() => house[Symbol.asyncDispose]());

  /** Ignore end of input and SIGTERM, with a deaf grandchild behind a shell. */
  const hostile = (name: string): ScriptedServer =>
    scriptedServer({
      name,
      ignoreEof: true,
      ignoreSigterm: true,
      atStart: [{ do: 'spawn', via: 'sh', deaf: true, keepsOutput: true }],
    });

  class Scene implements AsyncDisposable {
    readonly house: House;
    readonly near = hostile('near');
    readonly far = hostile('far');
    /** Programs of ours that have a marker in their own command line. */
    ours: readonly number[] = [];
    gateway: Running | undefined;
    bridge: Running | undefined;
    agent: LineClient | undefined;

    private constructor(house: House) {
      this.house = house;
    }

    /** An agent with a hostile server behind the gateway, and one behind a bridge. */
    static async open(house: House): Promise<OpenScene> {
      const scene = new Scene(house);
      const { near, far } = scene;
      scene.bridge = await house.start(house.program('bridge', '--overlay', 'local', far.command, ...far.args));
      scene.ours = [scene.bridge.pid];
      const token = scene.bridge.ready.share_token ?? '';
      const file = await house.config([shareBackend('far', token), commandBackend('near', near)]);
      scene.gateway = await house.start(house.gatewayProgram(file));
      scene.agent = LineClient.spawn(house.agentProgram(scene.gateway.ready.share_token ?? ''));
      await scene.agent.initialize();
      for (const id of ['near', 'far']) await scene.agent.call(`${id}__echo`);
      for (const { marker } of [near, far]) assert.ok(processesWith(marker).length >= 3);
      return scene as OpenScene;
    }

    async gone(): Promise<void> {
      for (const { marker } of [this.near, this.far]) await untilNone(marker, this.ours);
    }

    async [Symbol.asyncDispose](): Promise<void> {
      await this.agent?.[Symbol.asyncDispose]();
    }
  }

  type OpenScene = Scene & { readonly gateway: Running; readonly bridge: Running; readonly agent: LineClient };

  /** Until only the agent's session is left: the server, the shell and the grandchild. */
  const untilProbed = (marker: string, ours: readonly number[] = []): Promise<void> => untilCount(marker, 3, ours);
  const untilNone = (marker: string, ours: readonly number[] = []): Promise<void> => untilCount(marker, 0, ours);

  async function untilCount(marker: string, count: number, ours: readonly number[], waitMs = GONE_MS): Promise<void> {
    const alive = (): number[] => processesWith(marker).filter((pid) => !ours.includes(pid));
    for (const until = Date.now() + waitMs; alive().length !== count; ) {
      assert.ok(Date.now() < until, `${alive().length} processes, not ${count}`);
      await wait(50);
    }
  }

  test('after SIGTERM of the gateway, and then of the bridge; both exit 0', async () => {
    await using scene = await Scene.open(house);
    const { agent, gateway, bridge, near } = scene;
    const open = agent.call('near__hang');
    await agent.told('near__echo');
    assert.equal(await gateway.end('SIGTERM'), 0);
    assert.deepEqual(processesWith(near.marker), []);
    assert.equal(await bridge.end('SIGTERM'), 0);
    await scene.gone();
    assert.equal((await open).error?.data?.error, 'outcome_unknown');
    // The gateway is not there, but the agent's stdio is.
    assert.equal(await agent.end(), 0);
  });

  test('after SIGKILL of the gateway, and then of the bridge', async () => {
    await using scene = await Scene.open(house);
    assert.equal(await scene.gateway.end('SIGKILL'), null);
    await untilNone(scene.near.marker);
    assert.equal(await scene.bridge.end('SIGKILL'), null);
    await scene.gone();
  });

  test('after SIGKILL of mcp-tools run: its servers are kept for a minute, then they are gone; others stay', async () => {
    await using scene = await Scene.open(house);
    const { agent, gateway, near, far } = scene;
    await using other = LineClient.spawn(house.agentProgram(gateway.ready.share_token ?? ''));
    await other.initialize();
    const [nearPid, farPid] = await Promise.all(
      ['near', 'far'].map(async (id) => (await other.told(`${id}__pid`)).pid),
    );
    agent.ends.kill('SIGKILL');
    await agent.ends.ended;
    const cut = Date.now();
    await house.untilStatus(gateway.ready.share_token ?? '', ({ sessions }) =>
      sessions.some(({ link }) => link?.state === 'down'),
    );
    // Each session has a server with a shell and a grandchild behind both.
    for (const { marker } of [near, far]) await untilCount(marker, 6, scene.ours);
    for (const { marker } of [near, far]) {
      await untilCount(marker, 3, scene.ours, LIMITS.linkClosedWindowMs + GONE_MS);
      assert.ok(Date.now() - cut > LIMITS.linkClosedWindowMs - 1000, 'they were not kept');
    }
    assert.deepEqual([(await other.told('near__pid')).pid, (await other.told('far__pid')).pid], [nearPid, farPid]);
  });

  test("after the agent's end of input: mcp-tools exits 0, the servers of its session are gone", async () => {
    await using scene = await Scene.open(house);
    assert.equal(await scene.agent.end(), 0);
    await scene.gone();
  });

  test('after SIGTERM of mcp-tools run: it exits 0, the servers of its session are gone', async () => {
    await using scene = await Scene.open(house);
    scene.agent.ends.kill('SIGTERM');
    assert.equal(await scene.agent.ends.ended, 0);
    await scene.gone();
  });

  test('after SIGTERM of mcp-tools http, and after the end of one HTTP session', async () => {
    const near = hostile('near');
    const token = await house.gateway([commandBackend('near', near)]);
    const door = await house.start(
      house.program('tools', 'http', token, '--overlay', 'local', '--bind', '127.0.0.1:0'),
    );
    const url = door.ready.url ?? '';
    const session = async (): Promise<string> => {
      const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'http', version: '1' } };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
      const response = await fetch(url, { method: 'POST', headers, body });
      assert.match(await response.text(), /"serverInfo"/);
      return response.headers.get('mcp-session-id') ?? '';
    };
    const first = await session();
    assert.ok(processesWith(near.marker).length >= 3);
    const ended = await fetch(url, { method: 'DELETE', headers: { 'mcp-session-id': first } });
    assert.ok(ended.ok, String(ended.status));
    await untilNone(near.marker);
    await session();
    assert.ok(processesWith(near.marker).length >= 3);
    assert.equal(await door.end('SIGTERM'), 0);
    await untilNone(near.marker);
  });

  test('after a client that spoke bare lines hung up', async () => {
    const near = hostile('near');
    const token = await house.gateway([commandBackend('near', near)]);
    const client = await LineClient.connect(house.socket(token));
    await client.initialize();
    await client.call('echo');
    client.ends.kill('SIGKILL');
    await untilNone(near.marker);
  });

  test('of a server that died: what it had started is ended before its successor works', async () => {
    const acts: Act[] = [{ do: 'spawn', via: 'sh', deaf: true }];
    const near = scriptedServer({ name: 'near', atStart: acts });
    const token = await house.gateway([commandBackend('near', near)]);
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    await agent.call('echo');
    await untilProbed(near.marker);
    const before = processesWith(near.marker);
    await agent.call('act', { acts: [{ do: 'die' }] });
    await agent.told('echo', {});
    await untilProbed(near.marker);
    assert.ok(processesWith(near.marker).every((pid) => !before.includes(pid)));
  });
});

describe('exit codes', () => {
  test('0 done, 1 a backend fails the check, 2 wrong use or file, 4 out of reach', async () => {
    await using house = await House.open();
    const good = await house.config([stdioBackend('fine')]);
    const bad = await house.config([stdioBackend('fine'), stdioBackend('fails', { atStart: [{ do: 'die' }] })]);
    const code = async (program: Command): Promise<number | null> => (await runToEnd(program)).code;
    assert.equal(await code(house.program('gateway', 'check', good, '--overlay', 'local')), 0);
    const checked = await runToEnd(house.program('gateway', 'check', bad, '--overlay', 'local', '--json'));
    assert.equal(checked.code, 1);
    assert.equal((JSON.parse(checked.stdout) as { ok: boolean }).ok, false);
    assert.match(checked.stdout, /fails/);
    assert.equal(await code(house.program('gateway', 'run', join(house.home, 'absent.yml'))), 2);
    assert.equal(await code(house.program('gateway', 'status')), 4);
    assert.equal(await code(house.program('bridge', '--overlay', 'local')), 2);
    assert.equal(await code(house.program('bridge', '--overlay', 'local', '--share-token', 'never-made', 'cat')), 4);
    assert.equal(await code(house.agentProgram('never-made')), 4);
    assert.equal(await code(house.program('tools', 'http', 'never-made', '--overlay', 'local')), 4);
    assert.equal(await code(house.program('tools', 'http', 'some-share', '--bind', '0.0.0.0:8080')), 2);
    assert.equal(await code(house.program('tools', 'delete', 'never-made', '--overlay', 'local')), 4);
  });
});

type Way = 'alone' | 'alone behind a bridge' | 'beside another' | 'beside another, behind a bridge';

/** One server, the backend `only`, as it can stand behind a gateway. */
async function oneServer(house: House, way: Way): Promise<{ token: string; prefix: string; uri(uri: string): string }> {
  const server = scriptedServer({ name: 'only' });
  const only = way.includes('bridge')
    ? shareBackend('only', await house.bridge(server.command, ...server.args))
    : commandBackend('only', server);
  const backends = way.startsWith('alone') ? [only] : [only, stdioBackend('other')];
  const token = await house.gateway(backends);
  if (backends.length === 1) return { token, prefix: '', uri: (uri) => uri };
  return { token, prefix: 'only__', uri: (uri) => `only+${uri}` };
}

/** A server whose first starts fail. */
function fickle(house: House, id: string, failures: number): Backend {
  const { command, args } = scriptedServer({ name: id });
  const count = join(house.home, `starts-${id}`);
  const script = `n=$(cat "${count}" 2>/dev/null || echo 0); echo $((n + 1)) > "${count}"; [ $n -ge ${failures} ] || exit 1; exec "$@"`;
  return commandBackend(id, { command: '/bin/sh', args: ['-c', script, 'sh', command, ...args] });
}

async function untilListed(agent: LineClient, name: string): Promise<void> {
  for (const until = Date.now() + 40_000; Date.now() < until; ) {
    const from = agent.lines.length;
    if ((await agent.toolNames()).includes(name)) return;
    await agent.heard('notifications/tools/list_changed', () => true, from);
  }
  assert.fail(`${name} is never listed`);
}

function changes(agent: LineClient, from: number): unknown[] {
  const methods = agent.lines.slice(from).map(({ value }) => value?.method);
  return methods.filter((method) => String(method).endsWith('list_changed'));
}
