// A plain OpenZiti network: a share is a service, its token the service's name. Services and policies are made by the
// network's administrator; this identity dials and hosts what it may.

import { OverlayError } from '../errors.ts';
import { stateFolder } from '../home.ts';
import { type OverlayLog, SILENT } from '../log.ts';
import type { Overlay, ShareInfo } from '../overlay.ts';
import { checkShareToken, isShareToken } from '../share-token.ts';
import { isLocked, type ShareKey } from './host-lock.ts';
import { Hosts } from './hosts.ts';
import { ZitiNetwork } from './network.ts';
import { zitiProofs } from './proofs.ts';
import { howToMake, madeByAdministrator, unknownService } from './refusals.ts';

export interface ZitiOverlayOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly homeDir?: string | undefined;
  /** The name of an identity file. */
  readonly identityFile: string;
  /** Names of files with CAs whose proofs are believed besides the network's. */
  readonly trust?: readonly string[] | undefined;
  readonly dialSoon?: string | undefined;
  readonly log?: OverlayLog | undefined;
}

/** Rejects `identity_invalid`, `trust_invalid`. */
export async function createZitiOverlay(options: ZitiOverlayOptions): Promise<Overlay> {
  const { env, homeDir, identityFile, trust, log = SILENT } = options;
  const dialSoon = options.dialSoon === undefined ? undefined : { service: options.dialSoon };
  const network = await ZitiNetwork.open({ kind: 'ziti', identityFile, dialSoon, log });
  const { id, controllers } = network.identity;
  const key = (token: string): ShareKey => ({ network: ['ziti', controllers[0] ?? '', id ?? ''], token });
  const proofs = await network.keepIf(zitiProofs({ network, realm: controllers[0] ?? '', trust, log }));
  const hosts = new Hosts({ network, folder: () => stateFolder(env, homeDir), log });

  const check = (token?: string): void => {
    if (token !== undefined) checkShareToken(token);
    hosts.requireOpen();
  };
  const named = async <T>(token: string, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw unknownService(token, error);
    }
  };
  const isVisible = async (token: string): Promise<boolean> =>
    (await network.services()).some(({ name }) => name === token);

  return {
    kind: 'ziti',
    proofs,
    listenEphemeral: async () => {
      check();
      throw madeByAdministrator(
        'a share',
        'host a service that exists: share.token in the configuration, or --share-token',
      );
    },
    listen: async (token, options) => {
      check(token);
      return named(token, hosts.host({ key: key(token) }, options));
    },
    dial: async (token, options) => {
      check(token);
      // Needed as soon as the connection is there.
      void proofs.credential();
      return named(token, network.dial(token, options));
    },
    createShare: async (name) => {
      check(name);
      if (name !== undefined && (await isVisible(name))) {
        throw new OverlayError('share_exists', `service ${name} exists`, {
          hint: 'mcp-tools list shows what this identity may do with it',
        });
      }
      throw madeByAdministrator(name === undefined ? 'a service' : `service ${name}`, howToMake(name ?? 'NAME'));
    },
    deleteShare: async (token) => {
      check(token);
      if (!(await isVisible(token))) throw unknownService(token, undefined);
      const remedy = `an administrator of the network removes it: ziti edge delete service ${token}`;
      throw madeByAdministrator(`service ${token}`, remedy);
    },
    listShares: async () => {
      check();
      const folder = await stateFolder(env, homeDir);
      const services = (await network.services()).filter(({ name }) => isShareToken(name));
      const shares = services.map(async ({ name: token, permissions, createdAt }): Promise<ShareInfo> => {
        // Programs on other machines may host it too.
        const hosted = (await isLocked(folder, key(token))) ? true : undefined;
        const may = permissions.map((one) => (one === 'Bind' ? 'host' : 'dial')).sort();
        return { token, persistent: true, hosted, createdAt: createdAt ?? new Date(0), may };
      });
      return (await Promise.all(shares)).sort((a, b) => (a.token < b.token ? -1 : 1));
    },
    close: async () => {
      await hosts.close();
      await network.close();
    },
  };
}
