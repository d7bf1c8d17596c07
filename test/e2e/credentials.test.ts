// Each identity gets its own credential at a backend, and nobody gets another's: people with certificates, backends of
// each kind, both protocol eras, through the built programs.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { House } from './harness.ts';
import { type Json, LineClient } from './line-client.ts';
import { digestOf, headerServer, modernCall, modernTold, SecretsTown } from './secrets-town.ts';
import { commandBackend, fixture, stdioBackend } from './servers.ts';

const SERVER = fixture('secret-server.mjs');

/** All of them end, whatever the test comes to. */
async function openAll<T extends { readonly agent: LineClient }>(
  opening: readonly Promise<T>[],
): Promise<T[] & AsyncDisposable> {
  const agents = await Promise.all(opening);
  return Object.assign(agents, {
    [Symbol.asyncDispose]: async () =>
      void (await Promise.all(agents.map(({ agent }) => agent[Symbol.asyncDispose]()))),
  });
}

describe('credentials by identity', () => {
  test('T06 every cell of identity × backend × era has the credential of its identity: no crossing', async () => {
    await using town = await SecretsTown.open();
    await using headers = await headerServer();
    const people = ['alice', 'bob', 'carol'] as const;
    const flags = new Map<string, string[]>();
    for (const name of people) flags.set(name, await town.as(name));
    const entry = async (backend: string, name: string): Promise<string> =>
      town.secret(`${backend}-${name}`, `${backend}-of-${name}`);
    const injected = async (backend: string) => ({
      per_identity: Object.fromEntries(
        await Promise.all(
          ['alice', 'bob'].map(async (name) => [
            `x509:CN=${name}`,
            { env: { SECRET_T: `file:${await entry(backend, name)}` } },
          ]),
        ),
      ),
    });
    for (const name of ['x509:CN=alice', 'x509:CN=bob', 'x509:CN=carol'])
      await town.secret(name, `named-of-${name.slice(8)}`);
    const named = JSON.stringify(['cat', join(town.house.home, 'town', '{identity}')]);
    const web = await Promise.all(
      ['alice', 'bob'].map(async (name) => [
        `x509:CN=${name}`,
        { headers: { Authorization: `Bearer \${file:${await entry('web', name)}}` } },
      ]),
    );
    const gateway = await town.house.start(
      town.house.gatewayProgram(
        await town.house.config(
          [
            commandBackend('each', SERVER, { inject: await injected('each') }),
            commandBackend('one', SERVER, { shared: true, inject: await injected('one') }),
            commandBackend('named', SERVER, {
              inject: { env: { SECRET_T: `cmd:${named}` }, per_identity: 'required' },
            }),
            {
              id: 'web',
              transport: { type: 'http', endpoint: headers.url, protocol: 'streamable', allow_insecure: true },
              inject: { per_identity: Object.fromEntries(web) },
            },
            stdioBackend('open', { tools: ['echo'] }),
          ],
          { share: { grants: ['network'] } },
        ),
        ...(await town.as('gateway')),
      ),
    );
    const token = gateway.ready.share_token ?? '';
    const agents = await openAll(
      people.flatMap((name) =>
        [1, 2].map(async () => {
          const agent = LineClient.spawn(town.house.agentProgram(token, ...(flags.get(name) ?? [])));
          await agent.initialize();
          return { name, agent };
        }),
      ),
    );
    await using _ends = agents;
    const expected = (backend: string, name: string): string =>
      digestOf(backend === 'web' ? `Bearer web-of-${name}` : `${backend}-of-${name}`);
    const pids = new Map<string, Set<string>>();
    let cells = 0;
    const cell = async (name: string, agent: LineClient, backend: string, modern: boolean): Promise<void> => {
      const tool = `${backend}__who`;
      if (name === 'carol' && backend !== 'named') {
        const refused = modern ? await modernCall(agent, tool) : await agent.call(tool);
        assert.ok(refused.error !== undefined, `${name} ${backend}: ${refused.raw}`);
        assert.ok(!refused.raw.includes('digests'));
      } else {
        const { digests, pid } = await (modern ? modernTold(agent, tool) : agent.told(tool));
        assert.equal((digests as Json).SECRET_T, expected(backend, name), `${name} at ${backend}, modern ${modern}`);
        if (pid !== undefined) pids.set(String(pid), (pids.get(String(pid)) ?? new Set()).add(name));
      }
      cells += 1;
    };
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(
        agents.flatMap(({ name, agent }) =>
          ['each', 'one', 'named', 'web'].flatMap((backend) => [
            cell(name, agent, backend, false),
            cell(name, agent, backend, true),
          ]),
        ),
      );
    }
    assert.equal(cells, 3 * 6 * 4 * 2);
    for (const [pid, names] of pids) assert.equal(names.size, 1, `process ${pid} served ${[...names].join(' and ')}`);

    // What is refused looks as if it were not there; the rest of the gateway is.
    for (const { name, agent } of agents) {
      const seen = new Set((await agent.toolNames()).map((tool) => tool.split('__')[0]));
      assert.deepEqual(
        [...seen].sort(),
        name === 'carol' ? ['named', 'open'] : ['each', 'named', 'one', 'open', 'web'],
      );
    }
    const status = await town.house.status(token);
    assert.deepEqual(
      status.backends.filter(({ state }) => state === 'failing').map(({ id }) => id),
      [],
    );
    const carol = status.sessions.flatMap(({ backends }) => backends).filter(({ phase }) => phase === 'closed');
    for (const { reason } of carol) assert.equal(reason, 'there is no credential for this identity');
    assert.equal(carol.length, 2 * 3);
  });

  test('whoever comes without a proof has no credential of a name that anybody could take', async () => {
    await using town = await SecretsTown.open();
    const gateway = await town.house.start(
      town.house.gatewayProgram(
        await town.house.config([
          commandBackend('named', SERVER, {
            inject: { env: { SECRET_T: 'cmd:["echo","{identity}"]' }, per_identity: 'required' },
          }),
          stdioBackend('open', { tools: ['echo'] }),
        ]),
      ),
    );
    await using owner = LineClient.spawn(town.house.agentProgram(gateway.ready.share_token ?? ''));
    await owner.initialize();
    // The user of the state folder is one, and known.
    assert.equal(((await owner.told('named__who')).digests as Json).SECRET_T, digestOf('owner'));
  });
});

describe('rotation', () => {
  test('a new child gets the secret as it is then, without a restart of the gateway', async () => {
    await using town = await SecretsTown.open();
    const file = await town.secret('t', 'first-value');
    const token = await town.house.gateway([
      { ...commandBackend('a', SERVER), transport: { type: 'stdio', ...SERVER, env: { SECRET_T: `file:${file}` } } },
    ]);
    await using agent = LineClient.spawn(town.house.agentProgram(token));
    await agent.initialize();
    const seen = async (): Promise<unknown> => ((await agent.told('who')).digests as Json).SECRET_T;
    assert.equal(await seen(), digestOf('first-value'));
    await writeFile(file, 'second-value\n');
    await agent.call('crash');
    await town.house.untilStatus(token, ({ backends }) => backends[0]?.state === 'up' && backends[0].restarts > 0);
    assert.equal(await seen(), digestOf('second-value'));
    assert.ok(!JSON.stringify(await town.house.status(token)).includes('first-value'));
  });

  test('a login that is refused is read again, and the call goes on; nothing is sent again where nothing changed', async () => {
    await using town = await SecretsTown.open();
    await using server = await headerServer();
    const file = await town.secret('t', 'first-value');
    const headers = { Authorization: `Bearer \${file:${file}}` };
    const token = await town.house.gateway([
      {
        id: 'web',
        transport: { type: 'http', endpoint: server.url, protocol: 'streamable', allow_insecure: true, headers },
      },
    ]);
    server.allowed = 'Bearer first-value';
    await using agent = LineClient.spawn(town.house.agentProgram(token));
    await agent.initialize();
    const seen = async (): Promise<unknown> => ((await agent.told('who')).digests as Json).SECRET_T;
    assert.equal(await seen(), digestOf('Bearer first-value'));

    await writeFile(file, 'second-value\n');
    server.allowed = 'Bearer second-value';
    const before = server.seen.length;
    assert.equal(await seen(), digestOf('Bearer second-value'));
    assert.deepEqual(
      server.seen.slice(before).map(({ headers: { authorization } }) => authorization),
      ['Bearer first-value', 'Bearer second-value'],
    );
    assert.equal(server.seen.slice(before).filter(({ body }) => body.includes('tools/call')).length, 2);

    server.allowed = 'Bearer third-value';
    const refused = await agent.call('who');
    assert.ok(refused.error !== undefined, refused.raw);
    const { backends } = await town.house.untilStatus(token, ({ backends: [one] }) => one?.state === 'failing');
    assert.match(backends[0]?.reason ?? '', /wants a login \(HTTP 401\)/);
    await writeFile(file, 'third-value\n');
    await town.house.untilStatus(token, ({ backends: [one] }) => one?.state === 'up');
    assert.equal(await seen(), digestOf('Bearer third-value'));
  });

  test('a secret that cannot be had is the failure of its backend, and named', async () => {
    await using house = await House.open();
    const token = await house.gateway([
      { id: 'a', transport: { type: 'stdio', ...SERVER, env: { SECRET_T: 'file:/no/such/secret' } } },
      stdioBackend('b'),
    ]);
    const { backends } = await house.untilStatus(token, (status) => status.backends[0]?.state === 'failing');
    assert.equal(backends[0]?.reason, 'file:/no/such/secret cannot be read (ENOENT)');
    await using agent = LineClient.spawn(house.agentProgram(token));
    await agent.initialize();
    assert.equal((await agent.told('b__echo', { nonce: 'n' })).nonce, 'n');
  });
});

describe('what clients send', () => {
  test('T07 no header or token of a client reaches a backend: a server that writes down headers sees none of them', async () => {
    await using house = await House.open();
    await using server = await headerServer();
    const headers = { Authorization: 'Bearer of-the-gateway-1' };
    const token = await house.gateway([
      {
        id: 'web',
        transport: { type: 'http', endpoint: server.url, protocol: 'streamable', allow_insecure: true, headers },
      },
    ]);
    const url = await house.http(token);
    const canary = 'cl1ent-c4n4ry';
    const sent: Record<string, string> = {
      cookie: `session=${canary}`,
      'x-api-key': canary,
      'x-forwarded-for': `203.0.113.7, ${canary}`,
      forwarded: `for=${canary}`,
      'proxy-authorization': `Basic ${canary}`,
      'x-amz-security-token': canary,
      'user-agent': `agent/${canary}`,
      traceparent: `00-${canary}`,
      'x-custom': canary,
      'accept-language': canary,
    };
    const post = async (message: Json, more: Record<string, string> = {}): Promise<Response> =>
      fetch(url, {
        method: 'POST',
        headers: {
          ...sent,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...more,
        },
        body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      });
    const clientInfo = { name: 'c', version: '1' };
    const first = await post({
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo },
    });
    assert.equal(first.status, 200);
    const session = { 'mcp-session-id': first.headers.get('mcp-session-id') ?? '' };
    await first.text();
    await (await post({ method: 'notifications/initialized' }, session)).text();
    const answer = await (
      await post({ id: 2, method: 'tools/call', params: { name: 'who', arguments: {} } }, session)
    ).text();
    assert.ok(answer.includes(digestOf('Bearer of-the-gateway-1')), answer);
    // A bearer that a client sends is for the door, which knows its own secret only.
    const bearer = await post(
      { id: 3, method: 'tools/list', params: {} },
      { ...session, authorization: `Bearer ${canary}` },
    );
    await bearer.text();

    assert.ok(server.seen.length >= 3);
    const ours =
      /^(?:host|connection|user-agent|authorization|content-type|content-length|accept|accept-encoding|mcp-[a-z-]+)$/;
    for (const { rawHeaders, url: path, body } of server.seen) {
      const names = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
      assert.deepEqual(
        names.filter((name) => !ours.test(name)),
        [],
      );
      assert.ok(!`${rawHeaders.join('\n')}${path}${body}`.includes(canary), rawHeaders.join('\n'));
      assert.ok(!rawHeaders.join('\n').includes(session['mcp-session-id']));
    }
  });

  test('T13 a child gets six harmless variables and what was declared for it, and no other secret of ours', async () => {
    await using town = await SecretsTown.open();
    const canaries = Object.fromEntries(
      [
        'AWS_SECRET_ACCESS_KEY',
        'GITHUB_TOKEN',
        'DATABASE_URL',
        'NODE_OPTIONS_X',
        'SSH_AUTH_SOCK',
        'LD_PRELOAD_X',
        'SECRET_OTHER',
      ].map((name) => [name, `c4n4ry-${name}`]),
    );
    const file = await town.secret('t', 'c4n4ry-of-the-file');
    const stdio = (env: Json, more: Json = {}) => ({ type: 'stdio', ...SERVER, env, ...more });
    const config = await town.house.config([
      {
        id: 'own',
        transport: stdio({ SECRET_T: `file:${file}`, PLAIN: '1' }, { env_pass: ['GITHUB_TOKEN', 'NOT_SET'] }),
      },
      { id: 'other', transport: stdio({ SECRET_T: 'env:SECRET_OTHER' }) },
    ]);
    const program = town.house.gatewayProgram(config);
    const gateway = await town.house.start({
      ...program,
      env: { ...program.env, ...canaries, TERM: 'dumb', USER: 'u', LOGNAME: 'u', SHELL: '/bin/sh' },
    });
    await using agent = LineClient.spawn(town.house.agentProgram(gateway.ready.share_token ?? ''));
    await agent.initialize();
    const safe = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER'];
    const names = async (backend: string): Promise<string[]> =>
      ((await agent.told(`${backend}__names`)) as unknown as string[]).filter((name) => name !== 'MCP_OVERLAY_OWNER');
    assert.deepEqual(await names('own'), [...safe, 'GITHUB_TOKEN', 'PLAIN', 'SECRET_T'].sort());
    assert.deepEqual(await names('other'), [...safe, 'SECRET_T'].sort());
    if (process.platform !== 'linux') return;
    // What docs/SECRETS.md says: a variable of the gateway can be read by every child of the same user, a file's value cannot.
    const above = (await agent.told('other__above', { mark: 'c4n4ry' })) as Record<string, string[]>;
    assert.deepEqual(above[String(gateway.pid)]?.sort(), Object.keys(canaries).sort());
    assert.equal(JSON.stringify(await agent.told('other__above', { mark: 'c4n4ry-of-the-file' })), '{}');
    assert.ok(!(await readFile(`/proc/${gateway.pid}/environ`, 'latin1')).includes('c4n4ry-of-the-file'));
  });
});
