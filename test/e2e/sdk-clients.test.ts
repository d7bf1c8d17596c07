// The official SDK's clients, v1 and v2, over stdio and HTTP, alone with one server and with four behind one gateway:
// what arrives through the chain is what arrives from the server directly.

import assert from 'node:assert/strict';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Agent, connect, type Json, type SdkVersion, type Via } from './agent.ts';
import { type Exercise, everything, filesystem, memory, namesOf, thinking } from './exercise.ts';
import { type Backend, type Command, House, root } from './harness.ts';

const SDKS: readonly SdkVersion[] = ['v1', 'v2'];
const WAYS = ['run', 'http'] as const;
const serverFile = (name: string): string =>
  join(root, 'node_modules', '@modelcontextprotocol', `server-${name}`, 'dist', 'index.js');
const holdServer = fileURLToPath(new URL('../fixtures/hold-server.mjs', import.meta.url));

interface Said extends Pick<Agent, 'instructions' | 'capabilities'> {
  readonly record: Json;
}

describe('SDK clients get through the chain what the servers say', { concurrency: true }, () => {
  let house: House;
  let folder: string;
  let single: string;
  let four: string;
  const doors = new Map<string, string>();
  const servers: Record<string, { backend: Backend; exercise: Exercise }> = {};
  /** What each server says to each SDK without us; asked once. */
  const directly = new Map<string, Promise<Said>>();

  before(async () => {
    house = await House.open();
    folder = await realpath(await mkdtemp(join(tmpdir(), 'sdk-clients-')));
    const server = (name: string, exercise: Exercise, ...args: readonly string[]): void => {
      const env = name === 'memory' ? { MEMORY_FILE_PATH: join(house.home, 'memory.jsonl') } : {};
      const transport = { type: 'stdio', command: process.execPath, args: [serverFile(name), ...args], env };
      servers[name] = { backend: { id: name, transport }, exercise };
    };
    server('everything', everything);
    server('filesystem', oneAtATime(filesystem(folder)), folder);
    server('memory', oneAtATime(memory));
    server('sequential-thinking', thinking);
    const bridge = await house.bridge(process.execPath, serverFile('everything'));
    single = await house.gateway([{ id: 'only', transport: { type: 'share', share_token: bridge } }]);
    four = await house.gateway(Object.values(servers).map(({ backend }) => backend));
    for (const token of [single, four]) doors.set(token, await house.http(token));
  });

  after(async () => {
    await house[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  for (const sdk of SDKS) {
    for (const way of WAYS) {
      test(`client ${sdk}, ${way}: one server behind gateway and bridge`, async () => {
        await using agent = await connect(sdk, to(single, way), folder);
        const expected = await direct(sdk, 'everything');
        assertSame(await everything(agent, namesOf(undefined)), expected.record);
        assert.equal(agent.instructions, expected.instructions);
        for (const [name, value] of Object.entries(expected.capabilities)) {
          assert.deepEqual(agent.capabilities[name], value, name);
        }
      });

      test(`client ${sdk}, ${way}: four servers behind one gateway`, async () => {
        await using agent = await connect(sdk, to(four, way), folder);
        for (const [name, { exercise }] of Object.entries(servers)) {
          assertSame(await exercise(agent, namesOf(name)), (await direct(sdk, name)).record);
        }
        // The SDK's own calls: they check structured content against the output schema of the list.
        const { tools } = (await agent.listTools()) as { tools: readonly Json[] };
        assert.ok(tools.length > 30);
        const result = await agent.callTool('everything__get-structured-content', { location: 'New York' });
        assert.equal(typeof (result.structuredContent as Json).temperature, 'number');
      });
    }
  }

  for (const sdk of SDKS) {
    test(`client ${sdk}: a cancelled call is cancelled at the server`, async () => {
      const bridge = await house.bridge(process.execPath, holdServer);
      const gateway = await house.gateway([{ id: 'hold', transport: { type: 'share', share_token: bridge } }]);
      await using agent = await connect(sdk, to(gateway, 'run'), folder);
      const abort = new AbortController();
      const held = agent.request(
        'tools/call',
        { name: 'hold', arguments: {} },
        { signal: abort.signal, onprogress: () => abort.abort('enough') },
      );
      await assert.rejects(held);
      const count = await agent.callTool('cancelled', {});
      assert.deepEqual(count.content, [{ type: 'text', text: '1' }]);
    });
  }

  function to(token: string, way: (typeof WAYS)[number]): Via {
    if (way === 'run') return house.program('tools', 'run', token, '--overlay', 'local');
    return { url: doors.get(token) ?? '' };
  }

  /** How a client starts the server itself. The environment is what a gateway gives a child, as far as tools show it. */
  function command(name: string): Command {
    const { transport } = servers[name]?.backend ?? {};
    const { command: file, args, env } = transport as unknown as Command;
    return { command: file, args, env: { ...env } };
  }

  function direct(sdk: SdkVersion, name: string): Promise<Said> {
    const key = `${sdk} ${name}`;
    const known = directly.get(key) ?? exerciseDirectly(sdk, name);
    directly.set(key, known);
    return known;
  }

  async function exerciseDirectly(sdk: SdkVersion, name: string): Promise<Said> {
    await using agent = await connect(sdk, command(name), folder);
    const { instructions, capabilities } = agent;
    const exercise = servers[name]?.exercise;
    assert.ok(exercise);
    return { record: await exercise(agent, namesOf(undefined)), instructions, capabilities };
  }
});

/** All servers of a kind here write the same files. */
function oneAtATime(exercise: Exercise): Exercise {
  let last: Promise<unknown> = Promise.resolve();
  return (agent, names) => {
    const turn = last.then(() => exercise(agent, names));
    last = turn.catch(() => {});
    return turn;
  };
}

/** Entry by entry: a difference names the thing that was changed on the way. */
function assertSame(actual: Json, expected: Json): void {
  for (const key of Object.keys(expected)) assert.deepEqual(actual[key], expected[key], key);
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
}
