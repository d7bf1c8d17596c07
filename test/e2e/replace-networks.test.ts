// The same upgrade on networks: on OpenZiti the second gateway is a second terminator of the service before the first one
// withdraws; on zrok the share and the agent's access stay what they are.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Command, runToEnd } from './harness.ts';
import { LineClient } from './line-client.ts';
import { Load } from './load.ts';
import { commandBackend, fixture } from './servers.ts';
import { type Home, type World, world } from './world.ts';

const timeout = 180_000;

for (const [overlay, enter] of [
  ['ziti', onZiti],
  ['zrok', onZrok],
] as const) {
  test(`${overlay}: run --replace under load: every call is answered and ran once, agents move`, {
    timeout,
  }, async () => {
    await using w = await world();
    const { here, there, flags, agentFlags, share } = await enter(w);
    const ledger = join(here.path, 'ledger');
    const backends = [commandBackend('ledger', fixture('ledger-server.mjs', ledger))];
    const config = await w.house.config(backends, { share });
    const gateway = (...more: readonly string[]): Command => here.program('gateway', 'run', config, ...flags, ...more);
    const first = await w.house.start(gateway());
    const agents = [1, 2].map(() => LineClient.spawn(there.program('tools', 'run', share.token, ...agentFlags)));
    const load = new Load(agents);
    try {
      await Promise.all(agents.map((agent) => agent.initialize()));
      load.begin();
      const long = agents[0]?.told('note', { nonce: 'long', ms: 4000 });
      await load.answered(40);
      const second = await w.house.start(gateway('--replace'));
      assert.equal((await long)?.nonce, 'long');
      assert.equal(await first.ended, 0, first.stderr());
      load.pids.clear();
      await load.answered(40);
      assert.equal(load.pids.size, agents.length);
      const nonces = await load.end();
      const ran = (await readFile(ledger, 'utf8')).trim().split('\n');
      assert.deepEqual(ran.sort(), [...nonces, 'long'].sort());
      assert.equal(await second.end(), 0);
      const verified = await runToEnd(here.program('gateway', 'audit', 'verify'));
      assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    } finally {
      for (const agent of agents) await agent[Symbol.asyncDispose]();
    }
  });
}

interface Joined {
  readonly here: Home;
  readonly there: Home;
  readonly flags: readonly string[];
  readonly agentFlags: readonly string[];
  readonly share: { readonly token: string; readonly grants?: readonly string[] };
}

async function onZiti(w: World): Promise<Joined> {
  w.network.addService('town-hall');
  const [host, guest] = ['host', 'guest'].map((name) => w.network.addIdentity(name));
  assert.ok(host && guest);
  const as = async (identity: typeof host): Promise<string[]> => {
    return ['--overlay', 'ziti', '--identity', await w.network.identityFile(identity)];
  };
  const [here, there] = [await w.home('here'), await w.home('there')];
  const share = { token: 'town-hall', grants: [`ziti:${guest.id}`] };
  return { here, there, flags: await as(host), agentFlags: await as(guest), share };
}

async function onZrok(w: World): Promise<Joined> {
  const token = w.zrok.addAccount('a@example.com');
  const [here, there] = [await w.home('here'), await w.home('there')];
  for (const home of [here, there]) assert.equal((await home.tools('enable', token)).code, 0);
  assert.equal((await here.tools('create', 'my-gateway')).code, 0);
  return { here, there, flags: [], agentFlags: [], share: { token: 'my-gateway' } };
}
