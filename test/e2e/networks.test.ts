// The built programs on networks: two homes stand for two machines, joined over a fake zrok controller or a plain OpenZiti
// network, both on a test network with real sockets.

import assert from 'node:assert/strict';
import { lstat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import { stringify } from 'yaml';
import { runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { shareBackend, stdioBackend } from './servers.ts';
import { type Home, world } from './world.ts';

const timeout = 120_000;

test('zrok, with npm alone: enable on two machines, a gateway on one, an agent on the other; nothing is left', {
  timeout,
}, async () => {
  await using w = await world();
  const token = w.zrok.addAccount('a@example.com');
  const [here, there] = await Promise.all([w.home('here'), w.home('there')]);
  for (const home of [here, there]) {
    const joined = await home.tools('enable', token);
    assert.deepEqual([joined.code, joined.stdout], [0, ''], joined.stderr);
    assert.match(joined.stderr, /joined http:\/\/127\.0\.0\.1:\d+ as environment/);
    assert.equal((await lstat(join(home.path, '.zrok2', 'environment.json'))).mode & 0o777, 0o600);
  }
  const made = await here.tools('create', 'my-gateway');
  assert.deepEqual([made.code, made.stdout], [0, '{"share_token":"my-gateway"}\n'], made.stderr);
  assert.match(made.stderr, /overlay zrok: no overlay was named; a zrok environment is enabled/);

  // One backend of the gateway is on another network.
  const server = scriptedServer({ name: 'behind' });
  const bridge = await w.house.start(here.program('bridge', '--overlay', 'local', server.command, ...server.args));
  const behind = shareBackend('behind', bridge.ready.share_token ?? '');
  const config = join(here.path, 'config.yml');
  const backends = [stdioBackend('own'), { ...behind, transport: { ...behind.transport, overlay: 'local' } }];
  await writeFile(config, stringify({ share: { token: 'my-gateway' }, backends }));
  const gateway = await w.house.start(here.program('gateway', 'run', config));
  assert.equal(gateway.ready.share_token, 'my-gateway');

  const agent = LineClient.spawn(there.program('tools', 'run', 'my-gateway'));
  await agent.initialize();
  for (const backend of ['own', 'behind']) {
    assert.equal((await agent.told(`${backend}__echo`, { nonce: backend })).nonce, backend);
  }
  assert.equal(await agent.end(), 0);

  const listed = await here.tools('list');
  assert.match(listed.stdout, /^my-gateway {2}persistent {2}yes .* dial, host$/m);
  const busy = await here.tools('delete', 'my-gateway');
  assert.equal(busy.code, 1);
  assert.match(busy.stderr, /\(share_in_use\)/);
  const elsewhere = await there.tools('delete', 'my-gateway');
  assert.equal(elsewhere.code, 3);
  assert.match(elsewhere.stderr, /where it was made/);
  assert.equal(await gateway.end(), 0);
  const deleted = await here.tools('delete', 'my-gateway');
  assert.deepEqual([deleted.code, deleted.stdout], [0, '{"deleted":"my-gateway"}\n'], deleted.stderr);
  assert.deepEqual([w.zrok.books.shares.size, w.zrok.books.accesses.size], [0, 0]);
  for (const home of [here, there]) assert.equal((await home.tools('disable')).code, 0);
  assert.equal(w.zrok.books.environments.size, 0);
  assert.deepEqual(w.network.apiSessions, []);
});

test('zrok: an ephemeral share goes with its bridge, and after kill -9 with whoever looks next', {
  timeout,
}, async () => {
  await using w = await world();
  const home = await w.home('here');
  await home.tools('enable', w.zrok.addAccount('a@example.com'));
  const server = scriptedServer({ name: 'own' });
  const program = home.program('bridge', server.command, ...server.args);
  const polite = await w.house.start(program);
  const agent = LineClient.spawn(home.program('tools', 'run', polite.ready.share_token ?? ''));
  await agent.initialize();
  assert.equal((await agent.told('echo', { nonce: 'once' })).nonce, 'once');
  assert.equal(await agent.end(), 0);
  assert.equal(w.zrok.books.shares.size, 1);
  assert.equal(await polite.end(), 0);
  assert.deepEqual([w.zrok.books.shares.size, w.zrok.books.accesses.size], [0, 0]);

  const killed = await w.house.start(program);
  assert.equal(await killed.end('SIGKILL'), null);
  assert.equal(w.zrok.books.shares.size, 1);
  const listed = await home.tools('list', '--json');
  assert.equal(listed.stdout, '[]\n', listed.stderr);
  assert.equal(w.zrok.books.shares.size, 0);
});

test('zrok: an agent’s killed program leaves no access behind for long', { timeout }, async () => {
  await using w = await world();
  const home = await w.home('here');
  await home.tools('enable', w.zrok.addAccount('a@example.com'));
  const server = scriptedServer({ name: 'own' });
  const bridge = await w.house.start(home.program('bridge', server.command, ...server.args));
  const token = bridge.ready.share_token ?? '';
  const agent = LineClient.spawn(home.program('tools', 'run', token));
  await agent.initialize();
  assert.equal(w.zrok.books.accesses.size, 1);
  agent.ends.kill('SIGKILL');
  await agent.ends.ended;
  const next = LineClient.spawn(home.program('tools', 'run', token));
  await next.initialize();
  assert.equal(await next.end(), 0);
  assert.equal(w.zrok.books.accesses.size, 0);
});

test('zrok: what does not exist, or may not be used, is said at once, with exit codes', { timeout }, async () => {
  await using w = await world();
  const [owner, guest] = await Promise.all([w.home('owner'), w.home('guest')]);
  await owner.tools('enable', w.zrok.addAccount('a@example.com'));
  await guest.tools('enable', w.zrok.addAccount('b@example.com'));
  await owner.tools('create', 'closed-one');
  const ask =
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}\n';
  const cases: [Home, string, number, RegExp][] = [
    [guest, 'never-made', 4, /\(share_unknown\)/],
    [guest, 'closed-one', 3, /was not granted access to it \(not_permitted\)\n.*--grant MAIL/],
  ];
  for (const [home, token, code, said] of cases) {
    const began = Date.now();
    const run = await runToEnd(home.program('tools', 'run', token), ask);
    assert.equal(run.code, code, run.stderr);
    assert.match(run.stderr, said);
    assert.match(run.stdout, new RegExp(`"id":1.*${token}`));
    assert.ok(Date.now() - began < 15_000, 'it does not try for 20 s');
  }
});

test('plain OpenZiti: enroll with a one-time token, a service as a share, an agent elsewhere', {
  timeout,
}, async () => {
  await using w = await world();
  w.network.addService('build-box');
  const jwt = join(w.house.home, 'host.jwt');
  await writeFile(jwt, w.network.addEnrollment('host').token);
  const [here, there] = [await w.home('here'), await w.home('there')];
  const identity = join(here.path, 'host.json');
  const joined = await here.tools('enroll', jwt, '-o', identity);
  assert.deepEqual([joined.code, joined.stdout], [0, ''], joined.stderr);
  assert.match(joined.stderr, /use it with: --overlay ziti --identity .*host\.json/);
  assert.equal((await lstat(identity)).mode & 0o777, 0o600);
  const again = await here.tools('enroll', jwt, '-o', join(here.path, 'other.json'));
  assert.equal(again.code, 3, again.stderr);
  assert.match(again.stderr, /\(enroll_refused\)/);
  const taken = await here.tools('enroll', jwt, '-o', identity);
  assert.equal(taken.code, 2, taken.stderr);

  const server = scriptedServer({ name: 'own' });
  const invited = w.network.addIdentity('guest');
  const host = here.program(
    'bridge',
    '--overlay',
    'ziti',
    '--share-token',
    'build-box',
    '--grant',
    `ziti:${invited.id}`,
    server.command,
    ...server.args,
  );
  const bridge = await w.house.start({ ...host, env: { ...host.env, MCP_OVERLAY_IDENTITY: identity } });
  assert.equal(bridge.ready.share_token, 'build-box');
  const guest = await w.network.identityFile(invited);
  const run = there.program('tools', 'run', 'build-box', '--overlay', 'ziti');
  const agent = LineClient.spawn({ ...run, env: { ...run.env, MCP_OVERLAY_IDENTITY: guest } });
  await agent.initialize();
  assert.equal((await agent.told('echo', { nonce: 'over ziti' })).nonce, 'over ziti');
  assert.equal(await agent.end(), 0);
  const listed = await there.tools('list', '--overlay', 'ziti', '--identity', guest);
  assert.match(listed.stdout, /^build-box {2}persistent {2}unknown .* dial, host$/m);
  const made = await there.tools('create', 'other-box', '--overlay', 'ziti', '--identity', guest);
  assert.equal(made.code, 3);
  assert.match(made.stderr, /ziti edge create service other-box/);
  assert.equal(await bridge.end(), 0);
  assert.deepEqual(w.network.terminators, []);
});
