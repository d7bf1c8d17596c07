// Who comes in, and who is reached, over zrok and OpenZiti with the built programs.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Connection, openOverlay } from '@mcp-overlay/overlay';
import type { TestIdentity } from '@mcp-overlay/ziti/testing';
import { stringify } from 'yaml';
import { runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { stdioBackend } from './servers.ts';
import { type Home, type World, world } from './world.ts';

const timeout = 120_000;
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } },
});

interface PeerRow {
  readonly id: string;
  readonly claimed?: string;
  readonly outcome?: string;
}

async function peers(home: Home, ...words: readonly string[]): Promise<PeerRow[]> {
  const { code, stdout, stderr } = await runToEnd(home.program('gateway', 'peers', ...words, '--json'));
  assert.equal(code, 0, stderr);
  const answer = JSON.parse(stdout) as PeerRow | PeerRow[];
  return Array.isArray(answer) ? answer : [answer];
}

async function gateway(w: World, home: Home, share: object, ...flags: readonly string[]) {
  const config = join(home.path, 'config.yml');
  await writeFile(config, stringify({ share, backends: [stdioBackend('own')] }));
  return w.house.start(home.program('gateway', 'run', config, ...flags));
}

/** Flags of a program that is this identity of the network. */
async function as(w: World, identity: TestIdentity): Promise<string[]> {
  return ['--overlay', 'ziti', '--identity', await w.network.identityFile(identity)];
}

test('OpenZiti: an identity is refused, let in by its proven id, shut out again; its host is held to', {
  timeout,
}, async () => {
  await using w = await world();
  w.network.addService('town-hall');
  const [here, there] = await Promise.all([w.home('here'), w.home('there')]);
  const [one, two, guest] = ['one', 'two', 'guest'].map((name) => w.network.addIdentity(name));
  assert.ok(one && two && guest);
  const me = await as(w, guest);
  const run = there.program('tools', 'run', 'town-hall', ...me);
  const first = await gateway(w, here, { token: 'town-hall' }, ...(await as(w, one)));

  const refused = await runToEnd(run, `${INITIALIZE}\n`);
  assert.equal(refused.code, 3, refused.stderr);
  assert.match(refused.stderr, new RegExp(`mcp-gateway peers allow ziti:${guest.id} \\(link_refused: peer_refused\\)`));
  const [shown] = await peers(here);
  assert.deepEqual([shown?.id, shown?.claimed, shown?.outcome], [`ziti:${guest.id}`, 'guest', 'peer_refused']);
  const who = JSON.parse((await there.tools('status', '--json', ...me)).stdout) as { identity: string };
  assert.equal(who.identity, `ziti:${guest.id}`, 'what one tells the operator');

  await peers(here, 'allow', `ziti:${guest.id}`);
  const agent = LineClient.spawn(run);
  await agent.initialize();
  assert.equal((await agent.told('echo', { nonce: 'in' })).nonce, 'in');
  await peers(here, 'deny', `ziti:${guest.id}`);
  await agent.end();
  const denied = await runToEnd(run, `${INITIALIZE}\n`);
  assert.match(denied.stderr, /peer_denied/);
  await peers(here, 'allow', `ziti:${guest.id}`);

  await first.end();
  await gateway(w, here, { token: 'town-hall' }, ...(await as(w, two)));
  const changed = await runToEnd(run, `${INITIALIZE}\n`);
  assert.equal(changed.code, 3);
  assert.match(
    changed.stderr,
    new RegExp(`hosted by ziti:${one.id} since .*, and now by ziti:${two.id} \\(host_changed\\)`),
  );
  assert.equal((await there.tools('trust', 'town-hall', ...me)).code, 0);
  assert.equal((await runToEnd(run, `${INITIALIZE}\n`)).code, 0);
});

test('OpenZiti: a caller over HTTP proves nothing: 403 that says what to do, or in where that is granted', {
  timeout,
}, async () => {
  await using w = await world();
  w.network.addService('town-hall');
  const here = await w.home('here');
  const [host, caller] = ['host', 'caller'].map((name) => w.network.addIdentity(name));
  assert.ok(host && caller);
  const identity = await w.network.identityFile(caller);
  const post = async (): Promise<{ status: number | undefined; body: string }> => {
    const { overlay } = await openOverlay({ kind: 'ziti', identity, env: { HOME: here.path } });
    const connection: Connection = await overlay.dial('town-hall');
    const asked = request({
      createConnection: () => connection as never,
      method: 'POST',
      path: '/mcp',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    });
    asked.on('error', () => {});
    asked.end(INITIALIZE);
    const [answer] = (await once(asked, 'response')) as [IncomingMessage];
    let body = '';
    if (answer.statusCode !== 200) for await (const chunk of answer.setEncoding('utf8')) body += chunk;
    connection.destroy();
    await overlay.close();
    return { status: answer.statusCode, body };
  };
  const closed = await gateway(w, here, { token: 'town-hall' }, ...(await as(w, host)));
  const { status, body } = await post();
  assert.equal(status, 403);
  const { error } = JSON.parse(body) as { error: { message: string; data: { code: string } } };
  assert.equal(error.data.code, 'peer_unproven');
  assert.match(error.message, /claims to be caller, proves no identity .*share\.grants: \[unproven\]/);
  assert.deepEqual(
    (await peers(here)).map(({ id, claimed, outcome }) => [id, claimed, outcome]),
    [['unproven', 'caller', 'peer_unproven']],
  );
  await closed.end();
  await gateway(w, here, { token: 'town-hall', grants: ['unproven'] }, ...(await as(w, host)));
  assert.equal((await post()).status, 200);
});

test('zrok: another account may dial once it is granted, and comes in once its identity is allowed', {
  timeout,
}, async () => {
  await using w = await world();
  const [owner, guest] = await Promise.all([w.home('owner'), w.home('guest')]);
  await owner.tools('enable', w.zrok.addAccount('a@example.com'));
  await guest.tools('enable', w.zrok.addAccount('b@example.com'));
  await owner.tools('create', 'my-gateway', '--grant', 'b@example.com');
  await gateway(w, owner, { token: 'my-gateway' });
  const run = guest.program('tools', 'run', 'my-gateway');
  const refused = await runToEnd(run, `${INITIALIZE}\n`);
  assert.equal(refused.code, 3, refused.stderr);
  assert.match(refused.stderr, /peer_refused/);
  const [shown] = await peers(owner);
  assert.match(shown?.id ?? '', /^ziti:/);
  await peers(owner, 'allow', shown?.id ?? '', '--name', 'b');
  assert.equal((await runToEnd(run, `${INITIALIZE}\n`)).code, 0);
});
