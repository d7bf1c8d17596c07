// Machines on networks: homes of users, joined over a fake zrok controller or a plain OpenZiti network, both on one test
// network with real sockets.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { administrate, type FakeZrok, startFakeZrok } from '@mcp-overlay/overlay/testing';
import { startTestNetwork, type TestNetwork } from '@mcp-overlay/ziti/testing';
import { type Command, type Finished, House, runToEnd } from './harness.ts';

/** A user of one machine. */
export interface Home {
  readonly path: string;
  program(name: 'gateway' | 'bridge' | 'tools', ...args: readonly string[]): Command;
  tools(...args: readonly string[]): Promise<Finished>;
}

export interface World extends AsyncDisposable {
  readonly house: House;
  readonly network: TestNetwork;
  readonly zrok: FakeZrok;
  home(name: string, more?: Readonly<Record<string, string>>): Promise<Home>;
}

export async function world(): Promise<World> {
  const [house, network] = await Promise.all([House.open(), startTestNetwork()]);
  const zrok = await startFakeZrok({ ziti: administrate(network) });
  return {
    house,
    network,
    zrok,
    home: async (name, more = {}) => {
      const path = join(house.home, name);
      await mkdir(path);
      const env = { PATH: process.env.PATH ?? '', HOME: path, ZROK2_API_ENDPOINT: zrok.url, ...more };
      const program = (which: 'gateway' | 'bridge' | 'tools', ...args: readonly string[]): Command => ({
        ...house.program(which, ...args),
        env,
      });
      return { path, program, tools: (...args) => runToEnd(program('tools', ...args)) };
    },
    [Symbol.asyncDispose]: async () => {
      // Programs first: at their end they still speak to the network.
      await house[Symbol.asyncDispose]();
      await zrok[Symbol.asyncDispose]();
      await network.close();
    },
  };
}
