// A zrok network for tests: an OpenZiti test network, the fake controller on it, and environments in homes of their own.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestNetwork, type TestNetwork, type TestNetworkOptions } from '@mcp-overlay/ziti/testing';
import { openOverlay } from '../open-overlay.ts';
import type { Overlay } from '../overlay.ts';
import { enableZrok } from '../zrok/enable.ts';
import { type FakeZrok, startFakeZrok } from './fake-zrok.ts';
import { administrate } from './ziti-house.ts';

export interface ZrokHouse extends AsyncDisposable {
  readonly network: TestNetwork;
  readonly zrok: FakeZrok;
  /** A home with an environment of this account; the account is made when it is new. */
  environment(email?: string): Promise<ZrokHome>;
}

export interface ZrokHome {
  readonly env: NodeJS.ProcessEnv;
  /** The state folder. */
  readonly home: string;
  readonly accountToken: string;
  /** Another object each time, as another process of the user has; closed with the house. */
  open(): Promise<Overlay>;
}

export async function zrokHouse(options: TestNetworkOptions = {}): Promise<ZrokHouse> {
  const folder = await mkdtemp(join(tmpdir(), 'zrok-house-'));
  const network = await startTestNetwork(options);
  const zrok = await startFakeZrok({ ziti: administrate(network) });
  const accounts = new Map<string, string>();
  const opened: Overlay[] = [];

  const environment = async (email = 'a@example.com'): Promise<ZrokHome> => {
    const accountToken = accounts.get(email) ?? zrok.addAccount(email);
    accounts.set(email, accountToken);
    const HOME = await mkdtemp(join(folder, 'home-'));
    const home = join(HOME, 'state');
    const env = { ...process.env, HOME, MCP_OVERLAY_HOME: home, ZROK2_API_ENDPOINT: zrok.url };
    await enableZrok({ env, accountToken });
    const open = async (): Promise<Overlay> => {
      const { overlay } = await openOverlay({ env, kind: 'zrok' });
      opened.push(overlay);
      return overlay;
    };
    return { env, home, accountToken, open };
  };

  return {
    network,
    zrok,
    environment,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.map((overlay) => overlay.close()));
      await zrok[Symbol.asyncDispose]();
      await network.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
