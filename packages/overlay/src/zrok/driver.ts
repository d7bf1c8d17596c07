// The zrok overlay: private shares of this user's zrok environment. zrok keeps the books (REST), OpenZiti carries the bytes:
// a share is a service, its host is the environment that made it, and who dials has an access.

import { OverlayError } from '../errors.ts';
import { type StateFolder, stateFolder } from '../home.ts';
import { neverMade, unknown } from '../local/refusals.ts';
import { type OverlayLog, SILENT } from '../log.ts';
import type { Connection, DialOptions, Listener, ListenOptions, Overlay, ShareInfo, ShareOptions } from '../overlay.ts';
import type { ProofSettings } from '../proof/settings.ts';
import { checkShareToken, isShareToken, randomShareToken } from '../share-token.ts';
import { isLocked, lockName, lockShare, type ShareKey } from '../ziti/host-lock.ts';
import { Hosts } from '../ziti/hosts.ts';
import type { ZitiNetwork } from '../ziti/network.ts';
import { zitiProofs } from '../ziti/proofs.ts';
import { Accesses } from './accesses.ts';
import { ZrokApi, type ZrokShare } from './api.ts';
import { dialShare } from './dial.ts';
import type { ZrokEnvironment } from './environment.ts';
import { forgetGrants, grant } from './grants.ts';
import { PARTING_MS } from './limits.ts';
import { Records } from './records.ts';
import { sweep } from './sweep.ts';

export interface ZrokOverlayOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly homeDir?: string | undefined;
  readonly environment: ZrokEnvironment;
  /** Names of files with CAs whose proofs are believed besides the network's. */
  readonly trust?: readonly string[] | undefined;
  readonly dialSoon?: string | undefined;
  readonly log?: OverlayLog | undefined;
}

/** In the free text of a share, seen by every environment of the account. */
const TARGET = 'mcp-overlay';
const EPHEMERAL = 'mcp-overlay, ephemeral';
/** zrok has a list of words that no name may hold; a random one meets it rarely. */
const MAX_NAMES = 4;

/** Rejects `identity_invalid`, `trust_invalid`, `state_folder_unsafe`. Asks nothing of the network yet, unless a dial comes soon. */
export async function createZrokOverlay(options: ZrokOverlayOptions): Promise<ZrokOverlay> {
  const folder = await stateFolder(options.env, options.homeDir);
  const { environment, trust, dialSoon, log = SILENT } = options;
  const { envZId, apiEndpoint, accountToken, identityFile } = environment;
  const api = new ZrokApi(apiEndpoint, accountToken);
  const records = new Records(folder, environment);
  const accesses = new Accesses({ api, envZId, folder, records, log });
  // Needs neither the OpenZiti client nor a login, and takes as long as both.
  const soon = dialSoon !== undefined && isShareToken(dialSoon) ? dialSoon : undefined;
  const after = soon === undefined ? undefined : accesses.begin(soon);
  try {
    const { ZitiNetwork } = await import('../ziti/network.ts');
    const ahead = soon === undefined ? undefined : { service: soon, after };
    const network = await ZitiNetwork.open({ kind: 'zrok', identityFile, dialSoon: ahead, log });
    const proofs = await network.keepIf(zitiProofs({ network, realm: apiEndpoint, trust, log }));
    return new ZrokOverlay({ envZId, folder, network, proofs, api, records, accesses, log });
  } catch (error) {
    await accesses.close();
    throw error;
  }
}

interface ZrokOverlayParts {
  readonly envZId: string;
  readonly folder: StateFolder;
  readonly network: ZitiNetwork;
  readonly proofs: ProofSettings;
  readonly api: ZrokApi;
  readonly records: Records;
  readonly accesses: Accesses;
  readonly log: OverlayLog;
}

export class ZrokOverlay implements Overlay {
  readonly kind = 'zrok';
  readonly proofs: ProofSettings;
  readonly #envZId: string;
  readonly #folder: StateFolder;
  readonly #network: ZitiNetwork;
  readonly #log: OverlayLog;
  readonly #api: ZrokApi;
  readonly #records: Records;
  readonly #accesses: Accesses;
  readonly #hosts: Hosts;
  #swept: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor({ envZId, folder, network, proofs, api, records, accesses, log }: ZrokOverlayParts) {
    this.proofs = proofs;
    this.#envZId = envZId;
    this.#folder = folder;
    this.#network = network;
    this.#log = log;
    this.#api = api;
    this.#records = records;
    this.#accesses = accesses;
    this.#hosts = new Hosts({ network, folder: async () => folder, log });
  }

  async listenEphemeral(options: ListenOptions): Promise<Listener> {
    this.#hosts.requireOpen();
    await this.#sweep();
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.#hostNew(randomShareToken(), options);
      } catch (error) {
        const { code } = error as { code?: unknown };
        if (tried === MAX_NAMES || (code !== 'bad_token' && code !== 'share_exists')) throw error;
      }
    }
  }

  async listen(token: string, options: ListenOptions): Promise<Listener> {
    checkShareToken(token);
    this.#hosts.requireOpen();
    const share = await this.#ownShare(token, neverMade, 'hosted');
    const key = this.#key(token);
    // Before anything is granted: an ephemeral share of another program is none of ours.
    return this.#hosts.host(
      {
        key,
        make: () => grant(share, options.grants ?? [], { api: this.#api, folder: this.#folder }),
        goneBecause: () => this.#goneBecause(token),
      },
      options,
    );
  }

  async dial(token: string, options: DialOptions = {}): Promise<Connection> {
    checkShareToken(token);
    this.#hosts.requireOpen();
    // Needed as soon as the connection is there.
    void this.proofs.credential();
    const connection = await dialShare(token, options, { network: this.#network, accesses: this.#accesses });
    void this.#sweep();
    return connection;
  }

  async createShare(name?: string, { grants = [], open = false }: ShareOptions = {}): Promise<ShareInfo> {
    if (name !== undefined) checkShareToken(name);
    this.#hosts.requireOpen();
    const token = name ?? randomShareToken();
    await this.#api.share({ envZId: this.#envZId, token, target: TARGET, open });
    try {
      const share = await this.#api.shareDetail(token);
      if (!share) throw unknown(token);
      await grant(share, grants, { api: this.#api, folder: this.#folder });
      return { ...this.#infoOf(share), hosted: false };
    } catch (error) {
      // Whoever hears "no" can try the same name again.
      await this.#api.unshare(this.#envZId, token).catch(() => {});
      throw error;
    }
  }

  async deleteShare(token: string): Promise<void> {
    checkShareToken(token);
    this.#hosts.requireOpen();
    const share = await this.#ownShare(token, unknown, 'removed');
    // Whoever has the lock has the share: while we hold it nobody can begin to host it.
    const lock = await lockShare(this.#folder, this.#key(token));
    try {
      if (!(await this.#api.unshare(this.#envZId, token))) throw unknown(token);
      await forgetGrants(share, { api: this.#api, folder: this.#folder });
    } finally {
      await lock.close();
    }
  }

  /** Those of all environments of the account. */
  async listShares(): Promise<ShareInfo[]> {
    this.#hosts.requireOpen();
    this.#swept = undefined;
    await this.#sweep();
    const shares = (await this.#api.shares()).filter((share) => isOurKind(share));
    const infos = shares.map(async (share): Promise<ShareInfo> => {
      const hosted = (await isLocked(this.#folder, this.#key(share.token))) ? true : undefined;
      return { ...this.#infoOf(share), hosted };
    });
    return (await Promise.all(infos)).sort((a, b) => (a.token < b.token ? -1 : 1));
  }

  /** Principal ids of all environments of the account: what one of them may, the others may. */
  async ownIdentities(): Promise<readonly string[]> {
    return (await this.#api.environments()).map(({ envZId }) => `ziti:${envZId}`);
  }

  close(): Promise<void> {
    this.#closed ??= this.#shut();
    return this.#closed;
  }

  async #shut(): Promise<void> {
    await Promise.all([this.#hosts.close(), this.#accesses.close()]);
    await this.#network.close();
  }

  /** The record comes before the share and goes after it. */
  #hostNew(token: string, options: ListenOptions): Promise<Listener> {
    const envZId = this.#envZId;
    const key = this.#key(token);
    let record: Awaited<ReturnType<Records['add']>> | undefined;
    const make = async (): Promise<void> => {
      record = await this.#records.add({ share: token }, lockName(key));
      await this.#api.share({ envZId, token, target: EPHEMERAL, open: false });
      if (options.grants?.length) await this.#api.addGrants(token, options.grants);
    };
    const unmake = async (): Promise<void> => {
      try {
        await this.#api.unshare(envZId, token, { timeoutMs: PARTING_MS });
        await record?.remove();
      } catch (error) {
        this.#log.warn({ share: token, error: (error as Error).message }, 'a share was not removed');
      }
    };
    return this.#hosts.host({ key, make, unmake, goneBecause: () => this.#goneBecause(token) }, options);
  }

  /** Only the environment that made a share may host it (its Bind policy), and only it can remove it. */
  async #ownShare(token: string, none: (token: string) => OverlayError, what: string): Promise<ZrokShare> {
    const share = await this.#api.shareDetail(token);
    if (!share) throw none(token);
    if (share.envZId === this.#envZId) return share;
    const owner = (await this.#api.environments()).find(({ envZId }) => envZId === share.envZId);
    const where = owner ? `${owner.description} (${owner.envZId})` : share.envZId;
    throw new OverlayError('not_permitted', `share ${token} can only be ${what} where it was made: ${where}`, {
      hint: 'a zrok share belongs to one environment of the account; do it there, or make another share here',
    });
  }

  async #goneBecause(token: string): Promise<OverlayError | undefined> {
    if ((await this.#api.shareDetail(token)) !== undefined) return undefined;
    return new OverlayError('share_unknown', `share ${token} was removed while this program hosted it`, {
      hint: `make it again with: mcp-tools create ${token}`,
    });
  }

  #infoOf({ token, target, createdAt, envZId }: ZrokShare): Omit<ShareInfo, 'hosted'> {
    const may = envZId === this.#envZId ? (['dial', 'host'] as const) : (['dial'] as const);
    return { token, persistent: target !== EPHEMERAL, createdAt, may };
  }

  #key(token: string): ShareKey {
    return { network: ['zrok', this.#api.apiEndpoint, this.#envZId], token };
  }

  /** Once for this object, unless it is asked for. */
  #sweep(): Promise<void> {
    const { api, records, log } = { api: this.#api, records: this.#records, log: this.#log };
    this.#swept ??= sweep({ api, envZId: this.#envZId, records, log }).catch((error: Error) => {
      log.warn({ error: error.message }, 'sweeping failed');
    });
    return this.#swept;
  }
}

/** Public shares and tunnels are other programs' business. */
function isOurKind({ shareMode, backendMode }: ZrokShare): boolean {
  return shareMode === 'private' && backendMode === 'proxy';
}
