// A thousand calls over OpenZiti while the network is taken apart: routers die, sessions and logins end, the controller is
// away, a way goes silent without being closed, hosts are replaced. Each call runs once and is answered once.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { scriptedServer } from '@mcp-overlay/relay/testing';
import type { TestIdentity, TestNetwork } from '@mcp-overlay/ziti/testing';
import { LineClient } from './line-client.ts';
import { stdioBackend } from './servers.ts';
import { type World, world } from './world.ts';

const timeout = 280_000;
const CALLS = 200;
const IN_FLIGHT = 8;
/** A way that goes silent is given up after 45 s at most. */
const ANSWER_MS = 120_000;

/** What is done to the network, a third of the way through so many calls; and undone. */
const TROUBLES: Readonly<Record<string, (network: TestNetwork) => Promise<void>>> = {
  'the router is killed and comes back': async ({ routers }) => {
    const [router] = routers;
    await router?.kill();
    await router?.start();
  },
  'service sessions and logins of both ends end': async (network) => {
    network.deleteServiceSessions({ service: 'town-hall' });
    network.expireApiSessions('host');
    network.expireApiSessions('guest');
  },
  'the controller is away while the router restarts': async ({ controllers, routers }) => {
    await controllers[0]?.stop();
    await routers[0]?.kill();
    await routers[0]?.start();
    await controllers[0]?.start();
  },
  'channels are cut and reset': async ({ routers }) => {
    for (const channel of routers[0]?.channels ?? []) channel.cut();
    for (const channel of routers[0]?.channels ?? []) channel.reset();
  },
  'the way goes silent and stays open': async ({ routers }) => {
    // Until the ends have noticed and come by new channels; those are not silent.
    for (const { faults } of routers[0]?.channels ?? []) faults.halfOpen(true);
  },
};

test('1,000 calls through everything that a network can do: none lost, none doubled', { timeout }, async () => {
  await using w = await world();
  const ledger = join(w.house.home, 'ledger.jsonl');
  const { agent } = await joined(w, scriptedServer({ name: 'far', ledger }));
  let n = 0;
  for (const [name, trouble] of Object.entries(TROUBLES)) {
    const until = n + CALLS;
    let troubled: Promise<void> | undefined;
    const caller = async (): Promise<void> => {
      while (n < until) {
        const nonce = `call-${++n}`;
        if (n === until - Math.ceil((CALLS * 2) / 3)) troubled = trouble(w.network);
        const params = JSON.stringify({ name: 'echo', arguments: { nonce } });
        const { raw, error } = await agent.ask(JSON.stringify(nonce), 'tools/call', params, ANSWER_MS);
        assert.equal(error, undefined, `${name}: ${raw}`);
        assert.ok(raw.includes(nonce), raw);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, caller));
    assert.ok(troubled, name);
    await troubled;
  }
  assert.equal(await agent.end(), 0);
  const lines = (await readFile(ledger, 'utf8')).trim().split('\n');
  const ran = lines.map((line) => JSON.parse(line)).filter(({ event, nonce }) => event === 'call' && nonce !== null);
  assert.equal(n, CALLS * Object.keys(TROUBLES).length);
  assert.deepEqual([ran.length, new Set(ran.map(({ nonce }) => nonce)).size], [n, n]);
});

test('two hosts of one service, each its own identity: an agent stays with its host and moves on when it dies', {
  timeout,
}, async () => {
  await using w = await world();
  w.network.addService('town-hall');
  const [guest, ...hosts] = ['guest', 'first', 'second'].map((name) => w.network.addIdentity(name));
  assert.ok(guest);
  const ids = hosts.map(({ id }) => `ziti:${id}`);
  const share = { token: 'town-hall', hosts: ids, grants: [`ziti:${guest.id}`] };
  const config = await w.house.config([stdioBackend('one')], { share });
  const start = async (host: (typeof hosts)[number] | undefined) => {
    assert.ok(host);
    // Each on a machine of its own.
    const { program } = await w.home(host.name);
    return w.house.start(program('gateway', 'run', config, ...(await as(w, host))));
  };
  const first = await start(hosts[0]);
  const there = await w.home('there');
  const identity = await as(w, guest);
  await using agent = LineClient.spawn(there.program('tools', 'run', 'town-hall', ...identity));
  await agent.initialize();
  await start(hosts[1]);
  const { pid } = await agent.told('pid');
  for (let n = 0; n < 20; n += 1) assert.equal((await agent.told('pid')).pid, pid, 'it stays');
  const known = async (): Promise<string> => (await there.tools('status', ...identity)).stdout;
  assert.match(await known(), new RegExp(`town-hall +ziti +${ids[0]} `));
  assert.equal(await first.end('SIGKILL'), null);
  assert.notEqual((await agent.told('pid')).pid, pid, 'it moved');
  const shown = await known();
  assert.match(shown, new RegExp(`town-hall +ziti +${ids[0]} .*${ids[1]}`), shown);
});

/** A host of the share with this server, and an agent that reaches it. */
async function joined(w: World, server: { readonly command: string; readonly args: readonly string[] }) {
  const [host, guest] = ['host', 'guest'].map((name) => w.network.addIdentity(name));
  assert.ok(host && guest);
  w.network.addService('town-hall');
  const [here, there] = [await w.home('here'), await w.home('there')];
  const grants = ['--share-token', 'town-hall', '--grant', `ziti:${guest.id}`];
  await w.house.start(here.program('bridge', ...(await as(w, host)), ...grants, '--', server.command, ...server.args));
  const agent = LineClient.spawn(there.program('tools', 'run', 'town-hall', ...(await as(w, guest))));
  await agent.initialize();
  return { agent };
}

async function as({ network }: World, identity: TestIdentity): Promise<string[]> {
  return ['--overlay', 'ziti', '--identity', await network.identityFile(identity)];
}
