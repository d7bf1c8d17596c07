// A running gateway takes over another configuration: under load nothing fails, a broken file changes nothing, what goes on
// goes on with the servers it has, and what a change takes away is gone at once. Reloads under load: MCP_RELOADS of them.

import assert from 'node:assert/strict';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { stringify } from 'yaml';
import { type Agent, connect, type SdkVersion } from './agent.ts';
import { type Finished, House, type Running, runToEnd } from './harness.ts';

const RELOADS = Number(process.env.MCP_RELOADS ?? 20);
const SWAP_MS = 50;
const named = fileURLToPath(new URL('../fixtures/named-server.mjs', import.meta.url));

const server = (id: string, ...tools: readonly string[]) => ({
  id,
  transport: { type: 'stdio', command: process.execPath, args: [named, ...tools] },
});

interface Reloading {
  readonly file: string;
  readonly gateway: Running;
  readonly token: string;
  write(config: object | string): Promise<void>;
  reload(...flags: readonly string[]): Promise<Finished>;
  agent(sdk?: SdkVersion): Promise<Agent>;
  /** Of the log, by their event. */
  logged(event: string): readonly Record<string, unknown>[];
  until(event: string, count?: number): Promise<Record<string, unknown>>;
}

async function reloading(house: House, config: object, ...flags: readonly string[]): Promise<Reloading> {
  const file = join(house.home, 'gateway.yml');
  await writeFile(file, stringify(config));
  const gateway = await house.start(house.gatewayProgram(file, '--log-level', 'info', ...flags));
  const token = gateway.ready.share_token ?? '';
  const logged = (event: string) =>
    gateway
      .stderr()
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []))
      .filter(({ msg }) => msg === event);
  return {
    file,
    gateway,
    token,
    // As editors do it: another file in its place.
    write: async (next) => {
      await writeFile(`${file}.new`, typeof next === 'string' ? next : stringify(next));
      await rename(`${file}.new`, file);
    },
    reload: (...more) => runToEnd(house.program('gateway', 'reload', token, ...more)),
    agent: (sdk = 'v1') => connect(sdk, house.agentProgram(token), house.home),
    logged,
    until: async (event, count = 1) => {
      for (let left = 400; left > 0; left -= 1) {
        const found = logged(event)[count - 1];
        if (found) return found;
        await wait(50);
      }
      throw new Error(`never logged: ${event}\n${gateway.stderr()}`);
    },
  };
}

const names = async (agent: Agent): Promise<readonly string[]> => {
  const { tools } = (await agent.listTools()) as { tools: { name: string }[] };
  return tools.map(({ name }) => name);
};

/** What a server that counts the calls of its life says. */
const countedBy = async (agent: Agent, tool: string): Promise<{ pid: number; count: number }> => {
  const { content } = (await agent.callTool(tool, {})) as { content: [{ text: string }] };
  return JSON.parse(content[0].text);
};

test(`${RELOADS} reloads under load, half of them broken: no call fails`, async () => {
  await using house = await House.open();
  const files = { ...server('files', 'read_file'), prefix: '' };
  const variant = (at: number) => ({
    reload: { watch: false },
    aggregator: { connection: { list_wait: '30s', call_timeout: `${60 + (at % 7)}s` } },
    backends: [files, ...(at % 4 === 0 ? [server('notes', 'note')] : [])],
    ...(at % 3 === 0 && { roles: { all: [{ allow: { tools: ['*'] } }] }, identities: { owner: ['all'] } }),
  });
  const at = await reloading(house, variant(1));
  const agents = await Promise.all([at.agent(), at.agent()]);
  let done = false;
  let calls = 0;
  const failed: unknown[] = [];
  const loops = agents.map(async (agent) => {
    while (!done) {
      const reply = await agent.request('tools/call', { name: 'read_file', arguments: {} }).catch((error: unknown) => ({
        error: { thrown: String(error) },
      }));
      calls += 1;
      if ('error' in reply || reply.result.isError === true) failed.push(reply);
    }
  });
  let applied = 0;
  for (let round = 1; round <= RELOADS; round += 1) {
    const broken = round % 2 === 1;
    await at.write(broken ? 'backends:\n  - id: files\n    transport: { type: stdio, comand: x }\n' : variant(round));
    const { code, stderr, stdout } = await at.reload('--json');
    if (broken) {
      assert.equal(code, 2);
      assert.match(stderr, /gateway\.yml:3:\d+: /);
    } else {
      assert.equal(code, 0, stderr + stdout);
      applied += 1;
    }
    // A new session sees what is in force now.
    if (round % 10 === 0) {
      await using late = await at.agent();
      assert.ok((await names(late)).includes('read_file'));
    }
  }
  done = true;
  await Promise.all(loops);
  for (const agent of agents) await agent[Symbol.asyncDispose]();
  assert.deepEqual(failed, []);
  assert.ok(calls > RELOADS, `${calls} calls`);
  const swaps = at.logged('configuration applied').map(({ swapMs }) => Number(swapMs));
  assert.equal(swaps.length, applied);
  assert.ok(Math.max(...swaps) <= SWAP_MS, `swaps took ${swaps.join(', ')} ms`);
});

test('a session goes on with its server over a reload that leaves it as it is, and gets what is new when it begins anew', async () => {
  await using house = await House.open();
  const { command, args } = scriptedServer();
  const memory = { id: 'memory', prefix: '', transport: { type: 'stdio', command, args } };
  const config = (more: object, ...backends: object[]) => ({ ...more, backends: [memory, ...backends] });
  const at = await reloading(house, config({ reload: { max_drain: '3s' } }));
  await using agent = await at.agent();
  const counted = () => countedBy(agent, 'counter');
  const { pid, count } = await counted();
  await at.write(config({ reload: { max_drain: '3s' } }, server('notes', 'note')));
  await at.until('configuration applied');
  assert.deepEqual(await counted(), { pid, count: count + 1 });
  assert.ok(!(await names(agent)).includes('notes__note'));
  await at.until('sessions of an older configuration ended');
  await agent.heard('notifications/tools/list_changed');
  assert.ok((await names(agent)).includes('notes__note'));
  assert.notEqual((await counted()).pid, pid);
});

for (const sdk of ['v1', 'v2'] as const) {
  test(`a session gains a backend that is added beside those it has, and keeps their servers (client ${sdk})`, async () => {
    await using house = await House.open();
    const { command, args } = scriptedServer();
    const two = [server('files', 'read_file'), { id: 'memory', transport: { type: 'stdio', command, args } }];
    const at = await reloading(house, { backends: two });
    await using agent = await at.agent(sdk);
    const before = await names(agent);
    assert.equal((await countedBy(agent, 'memory__counter')).count, 1);
    await at.write({ backends: [server('notes', 'note'), ...two] });
    await agent.heard('notifications/tools/list_changed');
    assert.deepEqual([...(await names(agent))].sort(), [...before, 'notes__note'].sort());
    const { content } = (await agent.callTool('notes__note', {})) as { content: [{ text: string }] };
    assert.equal(content[0].text, 'note');
    assert.equal((await countedBy(agent, 'memory__counter')).count, 2);
    const { draining } = (await at.until('configuration applied')) as { draining: number };
    assert.equal(draining, 0);
  });
}

test('what a change takes away is gone at once, and told', async () => {
  await using house = await House.open();
  const config = (...deny: readonly string[]) => ({
    backends: [server('files', 'read_file', 'write_file')],
    roles: { all: [{ allow: { tools: ['*'] } }, ...deny.map((tool) => ({ deny: { tools: [tool] } }))] },
    identities: { owner: ['all'] },
  });
  const at = await reloading(house, config());
  await using agent = await at.agent();
  assert.deepEqual(await names(agent), ['read_file', 'write_file']);
  await at.write(config('write_*'));
  await agent.heard('notifications/tools/list_changed');
  assert.deepEqual(await names(agent), ['read_file']);
  const reply = await agent.request('tools/call', { name: 'write_file', arguments: {} });
  assert.match(JSON.stringify(reply), /Unknown tool/i);
  // Given back, it is there at once too: rules are all that changed.
  await at.write(config());
  await at.until('configuration applied', 2);
  assert.deepEqual(await names(agent), ['read_file', 'write_file']);
});

test('a broken file is said in log and status until it is mended; what cannot change is named', async () => {
  await using house = await House.open();
  const config = { backends: [server('files', 'read_file')] };
  const at = await reloading(house, config);
  await at.write('backends: [ { id: files');
  const { error } = await at.until('configuration rejected, the old one stays');
  assert.match(String(error), /gateway\.yml:\d+:\d+: /);
  const told = await runToEnd(house.program('gateway', 'status', at.token));
  assert.match(
    told.stdout,
    /config \S+gateway\.yml since \S+\nconfig: last reload failed at \S+: .*\n {2}.*read again/,
  );
  await at.write(config);
  await at.until('the configuration in force is what the file says again');
  assert.doesNotMatch((await runToEnd(house.program('gateway', 'status', at.token))).stdout, /failed/);
  await at.write({ ...config, share: { token: 'elsewhere' }, audit: 'off' });
  await at.until('configuration rejected, the old one stays', 2);
  const refused = await at.reload();
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /share\.token: cannot change while the gateway runs/);
  assert.match(refused.stderr, /audit: cannot change while the gateway runs/);
});

test('SIGHUP reloads; the names that change are said before', async () => {
  await using house = await House.open();
  const one = { reload: { watch: false }, backends: [server('files', 'read_file')] };
  const at = await reloading(house, one);
  await at.write({ ...one, backends: [...one.backends, server('notes', 'note')] });
  const { stdout, stderr } = await at.reload('--plan');
  assert.match(stderr, /names of backend files change from NAME to files__NAME, because it is not the only backend/);
  assert.match(stdout, /notes\s+added/);
  process.kill(at.gateway.pid, 'SIGHUP');
  await at.until('configuration applied');
  await using agent = await at.agent();
  assert.deepEqual(await names(agent), ['files__read_file', 'notes__note']);
  assert.equal((await at.reload()).stdout.split(':')[0], 'nothing changed');
});

test('a link that is turned round is a change', async () => {
  await using house = await House.open();
  const folder = join(house.home, 'conf');
  for (const [name, tool] of [
    ['v1', 'old_tool'],
    ['v2', 'new_tool'],
  ] as const) {
    await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, name, 'g.yml'), stringify({ backends: [server('files', tool)] }));
  }
  await symlink('v1', join(folder, '..data'));
  await symlink(join('..data', 'g.yml'), join(folder, 'g.yml'));
  const gateway = await house.start(house.gatewayProgram(join(folder, 'g.yml'), '--log-level', 'info'));
  await symlink('v2', join(folder, '..next'));
  await rename(join(folder, '..next'), join(folder, '..data'));
  while (!gateway.stderr().includes('configuration applied')) await wait(50);
  await using agent = await connect('v1', house.agentProgram(gateway.ready.share_token ?? ''), house.home);
  assert.deepEqual(await names(agent), ['new_tool']);
});
