// Where a chaos run takes place: an overlay, and the programs that meet on it. Agents, gateway and bridge have a state folder
// each, as on three machines.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CuttingProxy } from '../e2e/cutting-proxy.ts';
import { type Command, House, runToEnd } from '../e2e/harness.ts';

export type Role = 'bridge' | 'gateway' | 'tools';

/** What can be done to the ways of a ground; resolves when it is undone. */
export type WayTroubles = Readonly<Record<string, () => Promise<void>>>;

export interface Ground extends AsyncDisposable {
  readonly house: House;
  /** The share of the bridge and that of the gateway. */
  readonly bridgeShare: string;
  readonly share: Readonly<Record<string, unknown>>;
  bridgeProgram(...server: readonly string[]): Command;
  gatewayProgram(config: string, ...flags: readonly string[]): Command;
  agentProgram(): Command;
  /** `mcp-gateway <command>` where the gateway runs. */
  admin(...words: readonly string[]): Command;
  readonly troubles: WayTroubles;
}

export interface LocalGround extends Ground {
  /** Connections that are there now stay open and say nothing any more. */
  forget(): void;
}

/** The local overlay; each of the two ways leads through a proxy. */
export async function localGround(): Promise<LocalGround> {
  const house = await House.open();
  const home = async (name: string): Promise<string> => {
    const path = join(house.home, name);
    await mkdir(path, { mode: 0o700 });
    return path;
  };
  const [far, mid, near] = [await home('far'), await home('mid'), await home('near')];
  const at = (path: string, program: Command): Command => ({
    ...program,
    env: { ...program.env, MCP_OVERLAY_HOME: path },
  });
  const create = async (path: string, name: string): Promise<string> => {
    const { code, stderr } = await runToEnd(at(path, house.program('tools', 'create', name, '--overlay', 'local')));
    if (code !== 0) throw new Error(`create ${name}: ${stderr}`);
    return name;
  };
  const bridgeShare = await create(far, 'bridge-share');
  const share = await create(mid, 'gateway-share');
  const socket = (path: string, name: string): string => join(path, 'run', `${name}.sock`);
  const proxies = [
    await CuttingProxy.between(socket(mid, bridgeShare), socket(far, bridgeShare)),
    await CuttingProxy.between(socket(near, share), socket(mid, share)),
  ];
  const forAWhile = async (ms: number, begin: (proxy: CuttingProxy) => void, end: (proxy: CuttingProxy) => void) => {
    proxies.forEach(begin);
    await new Promise((done) => setTimeout(done, ms));
    proxies.forEach(end);
  };
  return {
    house,
    bridgeShare,
    share: { token: share },
    bridgeProgram: (...server) =>
      at(far, house.program('bridge', '--overlay', 'local', '--share-token', bridgeShare, '--', ...server)),
    gatewayProgram: (config, ...flags) => at(mid, house.gatewayProgram(config, ...flags)),
    agentProgram: () => at(near, house.agentProgram(share)),
    admin: (...words) => at(mid, house.program('gateway', ...words)),
    troubles: {
      'cut and severed': () =>
        forAWhile(
          300,
          (proxy) => proxy.sever(),
          (proxy) => proxy.restore(),
        ),
      'cut again and again': () =>
        forAWhile(
          500,
          (proxy) => proxy.cutAfterSome(300, 6000),
          (proxy) => proxy.stopCutting(),
        ),
      'silent for a while': () =>
        forAWhile(
          700,
          (proxy) => proxy.hold(),
          (proxy) => proxy.release(),
        ),
    },
    forget: () => proxies.forEach((proxy) => void proxy.forget()),
    async [Symbol.asyncDispose]() {
      await house[Symbol.asyncDispose]();
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    },
  };
}
