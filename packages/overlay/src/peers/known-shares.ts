// `known-shares` in the state folder: which host each share was first seen with. Like ssh's known_hosts: the first proof
// is believed, a change is not. One file for all programs of this user.

import { join } from 'node:path';
import { stateFolder } from '../home.ts';
import { FILE_LIMITS } from '../limits.ts';
import { locked, readStateFile, writeStateFile } from './state-file.ts';

export interface ShareKey {
  /** `local`, `ziti`. */
  readonly network: string;
  /** Which of several networks of that kind; '' for the only one. */
  readonly realm: string;
  readonly share: string;
}

export interface KnownShare extends ShareKey {
  /** Principal id of the pinned host. */
  readonly id: string;
  readonly name: string;
  /** Others that the pinned host vouches for. */
  readonly hosts: readonly string[];
  /** ISO times: first seen; last used, to the day. */
  readonly since: string;
  readonly used: string;
  /** Another that came in its place and was refused. */
  readonly changed?: { readonly id: string; readonly name: string; readonly at: string };
}

export interface KnownShares {
  list(): Promise<readonly KnownShare[]>;
  find(key: ShareKey): Promise<KnownShare | undefined>;
  /** Writes what `change` makes of it, alone at that moment; undefined removes it. */
  update(key: ShareKey, change: (known: KnownShare | undefined) => KnownShare | undefined): Promise<void>;
}

export function knownShares(env: NodeJS.ProcessEnv, homeDir?: string): KnownShares {
  const read = async (): Promise<readonly KnownShare[]> => {
    const { path } = await stateFolder(env, homeDir);
    return (await readStateFile(join(path, 'known-shares'), parse)) ?? [];
  };
  return {
    list: read,
    find: async (key) => (await read()).find((known) => isFor(known, key)),
    update: async (key, change) => {
      const folder = await stateFolder(env, homeDir);
      await locked(join(folder.run, 'known-shares.lock'), async () => {
        const shares = await read();
        const before = shares.find((known) => isFor(known, key));
        const after = change(before);
        if (after === before) return;
        const others = shares.filter((known) => known !== before);
        const kept = after === undefined ? others : [...withRoom(others), after];
        await writeStateFile(join(folder.path, 'known-shares'), { version: 1, shares: kept });
      });
    },
  };
}

function isFor(known: KnownShare, { network, realm, share }: ShareKey): boolean {
  return known.network === network && known.realm === realm && known.share === share;
}

/** Room for one more. */
function withRoom(shares: readonly KnownShare[]): readonly KnownShare[] {
  if (shares.length < FILE_LIMITS.knownShares) return shares;
  return [...shares].sort((a, b) => a.used.localeCompare(b.used)).slice(shares.length - FILE_LIMITS.knownShares + 1);
}

function parse(value: unknown): readonly KnownShare[] | undefined {
  const { version, shares } = (value ?? {}) as { version?: unknown; shares?: unknown };
  return version === 1 && Array.isArray(shares) && shares.every(isKnownShare) ? shares : undefined;
}

function isKnownShare(value: unknown): value is KnownShare {
  if (typeof value !== 'object' || value === null) return false;
  const known = value as Record<string, unknown>;
  const texts = ['network', 'realm', 'share', 'id', 'name', 'since', 'used'].every(
    (key) => typeof known[key] === 'string',
  );
  const hosts = Array.isArray(known.hosts) && known.hosts.every((host) => typeof host === 'string');
  return texts && hosts && (known.changed === undefined || isChange(known.changed));
}

function isChange(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { id, name, at } = value as Record<string, unknown>;
  return [id, name, at].every((text) => typeof text === 'string');
}
