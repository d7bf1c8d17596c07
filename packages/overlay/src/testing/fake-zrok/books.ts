// What a zrok controller keeps in its database, and how its entries look in listings (openziti/zrok
// controller/store, controller/listShares.go, listAccesses.go).

export interface Account {
  readonly email: string;
  readonly token: string;
}

export interface EnvironmentRow {
  readonly zId: string;
  readonly account: Account;
  readonly description: string;
  readonly host: string | undefined;
  readonly at: number;
}

export interface ShareRow {
  readonly token: string;
  readonly zId: string;
  readonly env: EnvironmentRow;
  readonly backendMode: string;
  readonly target: string;
  readonly permissionMode: string;
  readonly grants: string[];
  /** Ids of the policies tagged with its token. */
  readonly policies: Set<string>;
  readonly at: number;
}

export interface AccessRow {
  readonly id: number;
  readonly token: string;
  readonly env: EnvironmentRow;
  readonly share: ShareRow;
  readonly policy: string;
  bindAddress: string | undefined;
  description: string | undefined;
  readonly at: number;
}

export interface Books {
  readonly accounts: Account[];
  readonly environments: Map<string, EnvironmentRow>;
  readonly shares: Map<string, ShareRow>;
  readonly accesses: Map<string, AccessRow>;
  /** Names of all services of the network: a failed create leaves its own behind. */
  readonly services: Set<string>;
}

/** Empty members are left out, as Go's omitempty does. */
export function shareEntry({ backendMode, at, env, token, target, zId }: ShareRow): object {
  return {
    backendMode,
    createdAt: at,
    envZId: env.zId,
    frontendEndpoints: ['private'],
    shareMode: 'private',
    shareToken: token,
    ...(target === '' ? {} : { target }),
    updatedAt: at,
    zId,
  };
}

/** The overview calls the environment by another name. */
export function accessEntry(row: AccessRow, idName: 'envZId' | 'zId'): object {
  const { bindAddress, description, at, env, token, id, share } = row;
  return {
    backendMode: share.backendMode,
    ...(bindAddress === undefined ? {} : { bindAddress }),
    createdAt: at,
    ...(description === undefined ? {} : { description }),
    [idName]: env.zId,
    frontendToken: token,
    id,
    shareToken: share.token,
    updatedAt: at,
  };
}

export function environmentEntry({ at, description, host, zId }: EnvironmentRow, idName: 'envZId' | 'zId'): object {
  return {
    address: '127.0.0.1',
    createdAt: at,
    description,
    [idName]: zId,
    ...(host === undefined ? {} : { host }),
    updatedAt: at,
  };
}
