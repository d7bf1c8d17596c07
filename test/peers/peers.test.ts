// Other people's clients and gateways in front of our programs, at pinned versions (./install.ts): what their users do
// with them works. docs/COMPATIBILITY.md tells what was run, and what does not work.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Command, House, runToEnd } from '../e2e/harness.ts';
import { type Json, LineClient } from '../e2e/line-client.ts';
import { everythingFile } from './everything.ts';
import { foreign, startHost } from './foreign.ts';
import { installPeers } from './install.ts';
import { exerciseWith, type Kind, LONG, LONG_ARGS, LONG_DONE, SDKS, type Sdk, TOOLS, textOf } from './sdk.ts';

type Client = readonly [sdk: Sdk, kind: Kind, path: string];

interface Front {
  readonly title: string;
  readonly start: () => Command;
  readonly clients: readonly Client[];
  /** mcp-proxy drops progress that comes right before an answer, also from a server that it starts itself. */
  readonly progress?: number;
}

const installed = await installPeers();
const skip = 'impossible' in installed ? installed.impossible : false;
if (skip !== false) process.stderr.write(`SKIPPED: the programs of other people are not installed: ${skip}\n`);

describe('programs of other people in front of ours', { skip, concurrency: 2 }, () => {
  let house: House;
  let share: string;
  /** The door as printed, and one without a secret. */
  let door: string;
  let open: string;

  before(async () => {
    house = await House.open();
    const bridge = await house.bridge(process.execPath, everythingFile);
    share = await house.gateway([{ id: 'only', transport: { type: 'share', share_token: bridge } }]);
    [door, open] = await Promise.all([house.http(share), house.http(share, '--no-auth')]);
  });

  after(() => house[Symbol.asyncDispose]());

  // --- mcp-remote: an agent that knows stdio only, in front of our URL ----------------------------------------------

  const REMOTES: readonly { title: string; url: () => string; args: () => readonly string[] }[] = [
    { title: 'the URL as pasted', url: () => door, args: () => ['--allow-http'] },
    { title: 'the URL as pasted, SSE only', url: () => door, args: () => ['--transport', 'sse-only'] },
    { title: 'its /sse', url: () => sseOf(door), args: () => ['--transport', 'sse-only'] },
    { title: 'a door without secret', url: () => open, args: () => ['--transport', 'http-only'] },
    { title: 'the secret as bearer', url: () => bare(door), args: () => bearer() },
    {
      title: 'the secret as bearer, SSE',
      url: () => sseOf(bare(door)),
      args: () => [...bearer(), '--transport', 'sse-only'],
    },
    { title: 'both revisions offered', url: () => door, args: () => ['--protocol', 'auto'] },
  ];

  for (const { title, url, args } of REMOTES) {
    test(`mcp-remote: ${title}`, async () => {
      await using agent = LineClient.spawn(mcpRemote(url(), ...args()));
      await exerciseLines(agent);
      assert.equal(await agent.end(), 0);
    });
  }

  test('mcp-remote with a wrong secret is told 404 and ends; it is not sent into an OAuth dance', async () => {
    const wrong = `${bare(door).slice(0, -'/mcp'.length)}/${'x'.repeat(32)}/mcp`;
    const { code, stderr } = await runToEnd(mcpRemote(wrong));
    assert.equal(code, 1);
    assert.match(stderr, /404/);
    // Its callback server for a browser would have said where it listens.
    assert.doesNotMatch(stderr, /loopback port/);
  });

  // --- supergateway and mcp-proxy: an HTTP server made of `mcp-tools run` -------------------------------------------

  const FRONTS: readonly Front[] = [
    {
      title: 'supergateway, Streamable HTTP with sessions',
      start: () => supergateway('--outputTransport', 'streamableHttp', '--stateful'),
      clients: both('streamable', 'mcp'),
    },
    {
      title: 'supergateway, Streamable HTTP without sessions',
      start: () => supergateway('--outputTransport', 'streamableHttp'),
      clients: [['v2', 'streamable', 'mcp']],
    },
    {
      title: 'supergateway, SSE, one client',
      start: () => supergateway('--outputTransport', 'sse'),
      clients: [['v1', 'sse', 'sse']],
    },
    {
      title: 'mcp-proxy',
      progress: 1,
      start: () => mcpProxy(),
      clients: [...both('streamable', 'mcp'), ...both('sse', 'sse')],
    },
    {
      title: 'mcp-proxy that asks for the newest revision first',
      progress: 1,
      start: () => mcpProxy('--upstreamProtocol', 'auto'),
      clients: [['v2', 'streamable', 'mcp']],
    },
  ];

  for (const { title, start, clients, ...less } of FRONTS) {
    test(`${title}: SDK clients work through it, and nothing is left when it ends`, async () => {
      await using host = await startHost(start());
      for (const [sdk, kind, path] of clients) await exerciseWith(sdk, kind, `${host.url}${path}`, less);
    });
  }

  // One child for all its clients: the second sends initialize to a session that has one, and is answered again.
  test('supergateway, SSE: a client that comes back works too', async () => {
    await using host = await startHost(supergateway('--outputTransport', 'sse'));
    for (const sdk of SDKS) await exerciseWith(sdk, 'sse', `${host.url}sse`);
  });

  // --- the Inspector ------------------------------------------------------------------------------------------------

  const TARGETS: Readonly<Record<string, () => readonly string[]>> = {
    stdio: () => stdioTarget(share),
    http: () => ['--server-url', door],
    sse: () => ['--server-url', sseOf(door)],
  };

  for (const [way, target] of Object.entries(TARGETS)) {
    test(`inspector over ${way}: lists and calls`, async () => {
      const ask = (...words: string[]): Promise<Json> => inspect(['--method', ...words], target());
      assert.equal(lengthOf(await ask('tools/list'), 'tools'), TOOLS + 1);
      assert.equal(lengthOf(await ask('resources/list'), 'resources'), 7);
      assert.equal(lengthOf(await ask('prompts/list'), 'prompts'), 4);
      assert.equal(textOf(await ask('tools/call', '--tool-name', 'echo', '--tool-arg', 'message=hi')), 'Echo: hi');
    });

    test(`inspector over ${way} asks for the newest revision first, and goes on with an older one`, async () => {
      const auto = ['--protocol-era', 'auto', '--method', 'tools/list'];
      assert.equal(lengthOf(await inspect(auto, target()), 'tools'), TOOLS + 1);
    });
  }

  test('inspector that insists on the newest revision gets it, in front of a server that has only older ones', async () => {
    for (const target of [stdioTarget(share), ['--server-url', door]]) {
      const ask = (...words: string[]): Promise<Json> =>
        inspect(['--protocol-era', 'modern', '--method', ...words], target);
      assert.equal(lengthOf(await ask('tools/list'), 'tools'), TOOLS + 1);
      assert.equal(textOf(await ask('tools/call', '--tool-name', 'echo', '--tool-arg', 'message=hi')), 'Echo: hi');
    }
  });

  // --- how each is started ------------------------------------------------------------------------------------------

  function peers(): Extract<typeof installed, { peers: unknown }>['peers'] {
    if ('impossible' in installed) throw new Error(installed.impossible);
    return installed.peers;
  }

  function mcpRemote(url: string, ...args: readonly string[]): Command {
    return foreign(house, peers().script['mcp-remote'], [url, ...args]);
  }

  /** It splits the words of a shell. */
  function supergateway(...args: readonly string[]): Command {
    const { command, args: words } = house.agentProgram(share);
    const stdio = [command, ...words].map((word) => `'${word}'`).join(' ');
    return foreign(house, peers().script.supergateway, ['--stdio', stdio, '--port', '0', ...args]);
  }

  function mcpProxy(...args: readonly string[]): Command {
    const { command, args: words } = house.agentProgram(share);
    return foreign(house, peers().script['mcp-proxy'], ['--port', '0', ...args, '--', command, ...words]);
  }

  function inspector(args: readonly string[], target: readonly string[]): Command {
    const { node22, script } = peers();
    return foreign(house, script.inspector, ['--cli', '--format', 'json', ...args, ...target], node22);
  }

  async function inspect(args: readonly string[], target: readonly string[]): Promise<Json> {
    const { code, stdout, stderr } = await runToEnd(inspector(args, target));
    assert.equal(code, 0, stderr);
    return (JSON.parse(stdout) as { result: Json }).result;
  }

  function stdioTarget(token: string): readonly string[] {
    const { command, args } = house.agentProgram(token);
    return ['-e', `MCP_OVERLAY_HOME=${house.home}`, '--', command, ...args];
  }

  function bearer(): readonly string[] {
    return ['--header', `Authorization: Bearer ${new URL(door).pathname.split('/')[1]}`];
  }
});

function both(kind: Kind, path: string): readonly Client[] {
  return SDKS.map((sdk) => [sdk, kind, path] as const);
}

/** The agent's side: initialize, tools/list, a call with progress, all of it before its answer. */
async function exerciseLines(agent: LineClient): Promise<void> {
  await agent.initialize();
  assert.equal((await agent.toolNames()).length, TOOLS);
  const from = agent.lines.length;
  const { result } = await agent.call(LONG, LONG_ARGS, { progressToken: 'three' });
  assert.equal(textOf(result), LONG_DONE);
  const told = agent.lines
    .slice(from)
    .flatMap(({ value }) => (value?.method === 'notifications/progress' ? [value] : []));
  assert.deepEqual(
    told.map(({ params }) => params),
    [1, 2, 3].map((progress) => ({ progress, total: 3, progressToken: 'three' })),
  );
}

function lengthOf(result: Json, member: string): number {
  return (result[member] as readonly unknown[]).length;
}

/** The same door's older transport. */
function sseOf(url: string): string {
  return url.replace(/\/mcp$/, '/sse');
}

/** Without the secret. */
function bare(url: string): string {
  return `${new URL(url).origin}/mcp`;
}
