// Which credentials a backend gets for which caller, chosen by (identity, backend). Callers of different seats share no
// session, no process and no connection of a backend; whoever has no seat is not served (abuse case T06).
// Values are read when they are used: at each start of a child, each HTTP session, each refused login.

import {
  type BackendConfig,
  type ConfiguredText,
  composeAll,
  type Injected,
  type PerIdentityConfig,
  type ResolveOptions,
  type SecretReference,
} from '@mcp-overlay/config';
import type { Principal } from '@mcp-overlay/overlay';

/** Why a session without a seat has nothing of a backend. */
export const NOT_SERVED = 'there is no credential for this identity';

export type Caller = Pick<Principal, 'id' | 'proven' | 'groups'>;

export interface Seat {
  /** '' for what everybody shares. */
  readonly key: string;
  /** Of a child: what is declared for it. `hears` is told each secret in it. Rejects with a SecretError. */
  env(hears: Hears): Promise<Record<string, string>>;
  /** Of an HTTP backend. */
  headers(hears: Hears): Promise<Record<string, string>>;
}

export type Hears = (secret: Buffer) => void;

/** undefined: there is no credential for this caller, and no other may be used in its place. */
export type SeatOf = (caller: Caller) => Seat | undefined;

export function seatsOf(
  { transport, inject }: Pick<BackendConfig, 'transport' | 'inject'>,
  options: ResolveOptions,
): SeatOf {
  const own: Injected = {
    env: transport.type === 'stdio' ? transport.env : {},
    headers: transport.type === 'http' ? transport.headers : {},
  };
  const shared = inject === undefined ? own : over(own, inject.shared);
  const common = seat('', shared, options);
  const per = inject?.perIdentity;
  if (per === undefined) return () => common;
  return (caller) => {
    const entry = per.own.find(({ is }) => is.some((word) => fits(word, caller)));
    if (entry === undefined && per.others === 'shared') return common;
    if (entry === undefined && !(per.others === 'named' && mayBeNamed(caller))) return undefined;
    const injected = entry === undefined ? shared : over(shared, entry);
    return seat(keyOf(entry, caller), injected, { ...options, identity: caller.id });
  };
}

function seat(key: string, { env, headers }: Injected, options: ResolveOptions & { identity?: string }): Seat {
  const telling = (hears: Hears) => ({
    ...options,
    onSecret: (value: Buffer, reference: SecretReference) => {
      options.onSecret?.(value, reference);
      hears(value);
    },
  });
  return {
    key,
    env: (hears) => composeAll(env, 'variable', telling(hears)),
    headers: (hears) => composeAll(headers, 'header', telling(hears)),
  };
}

/** Also two callers of one entry are two. */
function keyOf(entry: PerIdentityConfig['own'][number] | undefined, { id }: Caller): string {
  return JSON.stringify([entry?.name ?? null, id]);
}

/** All callers without a proof have one id, whoever they are. */
function mayBeNamed({ id, proven }: Caller): boolean {
  return proven || id === 'owner';
}

function fits(word: string, { id, proven, groups }: Caller): boolean {
  if (word === 'network') return proven;
  if (word === id) return true;
  return word.startsWith('group:') && groups.includes(word.slice('group:'.length));
}

/** Names of headers know no case: the injected one replaces the other. */
function over(below: Injected, above: Injected): Injected {
  const taken = new Set(Object.keys(above.headers).map((name) => name.toLowerCase()));
  const left = Object.entries(below.headers).filter(([name]) => !taken.has(name.toLowerCase()));
  const headers: Record<string, ConfiguredText> = { ...Object.fromEntries(left), ...above.headers };
  return { env: { ...below.env, ...above.env }, headers };
}
