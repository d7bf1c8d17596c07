// The grounds that are networks: OpenZiti and zrok, both over the test network, with real sockets, TLS and frames. Three
// homes are three machines.

import { setTimeout as wait } from 'node:timers/promises';
import type { TestNetwork } from '@mcp-overlay/ziti/testing';
import { type Home, type World, world } from '../e2e/world.ts';
import type { Ground, WayTroubles } from './ground.ts';

const BRIDGE_SHARE = 'bridge-share';
const SHARE = 'gateway-share';

export async function zitiGround(): Promise<Ground> {
  const w = await world();
  const [far, mid, near] = await homes(w);
  const [host, middle, guest] = ['far', 'mid', 'near'].map((name) => w.network.addIdentity(name));
  if (!host || !middle || !guest) throw new Error('identities');
  for (const service of [BRIDGE_SHARE, SHARE]) w.network.addService(service);
  const as = async (identity: typeof host): Promise<string[]> => [
    '--overlay',
    'ziti',
    '--identity',
    await w.network.identityFile(identity),
  ];
  const [hostFlags, middleFlags, guestFlags] = [await as(host), await as(middle), await as(guest)];
  const grants = ['--share-token', BRIDGE_SHARE, '--grant', `ziti:${middle.id}`];
  return {
    house: w.house,
    bridgeShare: BRIDGE_SHARE,
    share: { token: SHARE, grants: [`ziti:${guest.id}`] },
    bridgeProgram: (...server) => far.program('bridge', ...hostFlags, ...grants, '--', ...server),
    gatewayProgram: (config, ...flags) => mid.program('gateway', 'run', config, ...flags, ...middleFlags),
    agentProgram: () => near.program('tools', 'run', SHARE, ...guestFlags),
    admin: (...words) => mid.program('gateway', ...words),
    troubles: networkTroubles(w.network),
    [Symbol.asyncDispose]: () => w[Symbol.asyncDispose](),
  };
}

export async function zrokGround(): Promise<Ground> {
  const w = await world();
  const [far, mid, near] = await homes(w);
  const account = w.zrok.addAccount('somebody@example.com');
  for (const home of [far, mid, near]) await well(home.tools('enable', account));
  await well(far.tools('create', BRIDGE_SHARE));
  await well(mid.tools('create', SHARE));
  return {
    house: w.house,
    bridgeShare: BRIDGE_SHARE,
    share: { token: SHARE },
    bridgeProgram: (...server) =>
      far.program('bridge', '--overlay', 'zrok', '--share-token', BRIDGE_SHARE, '--', ...server),
    gatewayProgram: (config, ...flags) => mid.program('gateway', 'run', config, ...flags, '--overlay', 'zrok'),
    agentProgram: () => near.program('tools', 'run', SHARE, '--overlay', 'zrok'),
    admin: (...words) => mid.program('gateway', ...words),
    troubles: networkTroubles(w.network),
    [Symbol.asyncDispose]: () => w[Symbol.asyncDispose](),
  };
}

/** What a network does to who is on it. */
function networkTroubles({ controllers, routers }: TestNetwork): WayTroubles {
  const [controller] = controllers;
  const [router] = routers;
  return {
    'the router is killed and comes back': async () => {
      await router?.kill();
      await router?.start();
    },
    'the controller is away': async () => {
      await controller?.stop();
      await wait(500);
      await controller?.start();
    },
    'both are away': async () => {
      await controller?.stop();
      await router?.kill();
      await wait(300);
      await router?.start();
      await controller?.start();
    },
    'channels are cut and reset': async () => {
      for (const channel of router?.channels ?? []) channel.cut();
      for (const channel of router?.channels ?? []) channel.reset();
    },
  };
}

async function homes(w: World): Promise<[Home, Home, Home]> {
  return [await w.home('far'), await w.home('mid'), await w.home('near')];
}

async function well(finished: ReturnType<Home['tools']>): Promise<void> {
  const { code, stderr } = await finished;
  if (code !== 0) throw new Error(stderr);
}
