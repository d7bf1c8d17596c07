// What the rest of the toolkit sees of a configuration: durations in ms, paths absolute, variables replaced, ids unique.

import type { AlarmsConfig } from './alarms-config.ts';
import type { AllowancesConfig } from './limits-config.ts';
import type { PolicyConfig } from './policy-config.ts';
import type { ScrubMode } from './scrub-shape.ts';
import type { SecretReference } from './secret/reference.ts';
import type { ConfiguredText } from './secret/text.ts';

export type OverlayName = 'local' | 'zrok' | 'ziti';

export interface GatewayConfig {
  /** Which of the three it was written for. */
  readonly format: 'ours' | 'original' | 'mcp-servers';
  /** Absolute. */
  readonly file: string;
  /** `sha256:<hex>` of the file as it was read; absent: it came from no file. */
  readonly digest?: string;
  readonly share: ShareConfig;
  readonly aggregator: AggregatorConfig;
  readonly backends: readonly BackendConfig[];
  /** Absolute paths of files with CAs, each perhaps behind `spiffe://domain=`. */
  readonly trust: readonly string[];
  readonly tokens: TokensConfig;
  readonly issuers: readonly IssuerConfig[];
  readonly logFile?: string;
  /** Absent: in the state folder, `durability: os`, no receipts. */
  readonly audit?: AuditConfig | 'off';
  /** Only what the file sets; names are those of the relay's limits. */
  readonly limits: LimitsConfig;
  /** Absent: callers may use what they can reach as much as they like. */
  readonly allowances?: AllowancesConfig;
  /** Absent: no rules. */
  readonly policy?: PolicyConfig;
  /** Where `vault:` references are looked up, as far as the file says. */
  readonly vault?: VaultConfig;
  /** Absent: what is found is recorded, nothing is changed. */
  readonly scrub?: ScrubConfig;
  /** Absent: none. */
  readonly alarms?: AlarmsConfig | 'off';
  /** Absent: first use, kept in the state folder. */
  readonly pins?: PinsConfig;
  /** How outcomes of calls are kept; absent: as long and as large as the relay's limits say. */
  readonly once?: OnceConfig;
  /** Absent: as in DEFAULTS, and watched. */
  readonly reload?: ReloadConfig;
}

export interface OnceConfig {
  readonly keepMs?: number;
  readonly bytes?: number;
  readonly durability?: 'os' | 'commit';
}

export interface ReloadConfig {
  /** A changed file is taken over by itself. */
  readonly watch: boolean;
  /** How long sessions that began before keep what they began with. */
  readonly maxDrainMs: number;
}

export interface PinsConfig {
  readonly mode: 'first-use' | 'strict' | 'off';
  /** Absolute; absent: beside the configuration. */
  readonly file?: string;
}

export interface TokensConfig {
  /** Absent: in the state folder. */
  readonly key?: SecretReference;
  readonly maxTtlMs?: number;
}

/** Whose JWTs are believed. */
export interface IssuerConfig {
  readonly issuer: string;
  readonly audience: string;
  /** Absolute path, or URL. */
  readonly jwks: string;
  readonly algorithms?: readonly string[];
  readonly groups?: string;
  readonly name?: string;
}

export interface VaultConfig {
  /** Absolute. */
  readonly path?: string;
  readonly key?: SecretReference | 'passphrase';
}

export interface ShareConfig {
  /** Absent: an ephemeral share with a random token. */
  readonly token?: string;
  readonly mode: 'closed';
  /** Principal ids, e-mails, `network`, `unproven`. */
  readonly grants: readonly string[];
  /** Principal ids of the other hosts of this share. */
  readonly hosts: readonly string[];
  readonly overlay?: OverlayName;
}

export interface AggregatorConfig {
  readonly name?: string;
  readonly version?: string;
  readonly separator: string;
  readonly connectTimeoutMs: number;
  /** Without progress. */
  readonly callTimeoutMs: number;
  readonly listWaitMs: number;
}

export interface BackendConfig {
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Put before the backend's names as it is; '' for none, absent for the id and the separator. */
  readonly prefix?: string;
  readonly transport: TransportConfig;
  /** Absent: every tool. */
  readonly tools?: ToolFilterConfig;
  readonly connectTimeoutMs?: number;
  readonly callTimeoutMs?: number;
  /** One process for all clients; of stdio servers only. */
  readonly shared?: boolean;
  /** What the server speaks; `auto`, or left out: found out. */
  readonly era?: 'auto' | 'legacy' | 'modern';
  /** Servers that are started before anybody needs them. */
  readonly warm?: number;
  /** lazy: at the first call, where that can be. */
  readonly start?: 'eager' | 'lazy';
  /** A server for everybody ends when nobody used it for so long. */
  readonly idleMs?: number;
  readonly sandbox?: 'none' | 'auto' | 'strict' | SandboxConfig;
  readonly inject?: InjectConfig;
  readonly disabled: boolean;
  readonly scrub?: ScrubOverride;
  /** Absent: that of all. */
  readonly pins?: PinsConfig['mode'];
  /** Globs on the backend's own names: what may run twice where nobody knows how it ended. */
  readonly mayRunTwice?: readonly string[];
}

/** Paths are absolute; what is absent is not limited. */
export interface SandboxConfig {
  readonly tmp?: 'private' | 'shared';
  readonly network?: boolean;
  readonly read?: readonly string[];
  readonly write?: readonly string[];
  readonly memoryBytes?: number;
  readonly files?: number;
  readonly processes?: number;
}

/** What is done with what is found; rules by id or glob of ids. */
export interface ScrubOverride {
  readonly mode?: ScrubMode;
  readonly rules: Readonly<Record<string, ScrubMode>>;
}

export interface ScrubConfig extends ScrubOverride {
  /** For what clients send to tools. */
  readonly arguments: 'off' | 'flag' | 'block';
  /** Absolute paths of pattern files. */
  readonly patterns: readonly string[];
  readonly pii: readonly string[];
  /** Results tell what was found in them. */
  readonly note: boolean;
  /** Absent: links that carry data are hits, wherever they lead. */
  readonly hosts?: readonly string[];
  readonly onTimeout?: 'flag' | 'block';
  readonly tools: readonly (ScrubOverride & { readonly backend: string; readonly tools: readonly string[] })[];
}

/** What a backend gets besides what its transport says, by who calls. */
export interface InjectConfig {
  readonly shared: Injected;
  /** Absent: everybody gets the same. */
  readonly perIdentity?: PerIdentityConfig;
}

export interface Injected {
  readonly env: Readonly<Record<string, ConfiguredText>>;
  readonly headers: Readonly<Record<string, ConfiguredText>>;
}

export interface PerIdentityConfig {
  /** The first that fits counts. */
  readonly own: readonly OwnSecrets[];
  /** Who has none of his own: is not served, gets what is shared, or is named in the references by `{identity}`. */
  readonly others: 'refuse' | 'shared' | 'named';
}

export interface OwnSecrets extends Injected {
  /** As the file names it. */
  readonly name: string;
  /** Principal ids, `owner`, `unproven`, `network`, `group:<name>`: any one of them. */
  readonly is: readonly string[];
}

export interface ToolFilterConfig {
  readonly mode: 'allow' | 'deny';
  /** Globs on the backend's own names, each known to compile. */
  readonly list: readonly string[];
}

export type TransportConfig = StdioConfig | ShareTransportConfig | HttpConfig;

export interface StdioConfig {
  readonly type: 'stdio';
  /** A name to look up in PATH, or an absolute path. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, ConfiguredText>>;
  /** Names of our own variables that are passed on. */
  readonly envPass: readonly string[];
  readonly cwd?: string;
}

export interface ShareTransportConfig {
  readonly type: 'share';
  readonly token: string;
  /** Absent: the gateway's own. */
  readonly overlay?: OverlayName;
  /** Where the token to come with is, and the key of its holder. */
  readonly access?: SecretReference;
  readonly accessKey?: SecretReference;
}

export interface HttpConfig {
  readonly type: 'http';
  /** Without user, password and fragment. */
  readonly url: string;
  readonly protocol: 'auto' | 'sse' | 'streamable';
  readonly headers: Readonly<Record<string, ConfiguredText>>;
  readonly tls: { readonly insecureSkipVerify: boolean; readonly caCertFile?: string };
  /** http:// is known and wanted. */
  readonly allowInsecure: boolean;
}

export interface AuditConfig {
  /** Absolute; absent: in the state folder. */
  readonly path?: string;
  /** Absent: made beside the log. */
  readonly key?: SecretReference;
  /** That were in use before. */
  readonly keys: readonly SecretReference[];
  readonly durability: 'commit' | 'interval' | 'os';
  readonly intervalMs?: number;
  readonly arguments: 'digest' | 'sealed' | 'clear';
  readonly onFailure: 'deny' | 'allow' | { readonly buffer: number };
  readonly rotate: { readonly bytes?: number; readonly ageMs?: number };
  readonly checkpoint?: { readonly key: SecretReference; readonly everyMs?: number };
  readonly forwardSecure: boolean;
  /** Results carry the number and hash of their record. */
  readonly receipts: boolean;
}

export interface LimitsConfig {
  readonly messageBytes?: number;
  readonly sessions?: number;
  readonly callsPerSession?: number;
  readonly callsInAll?: number;
  readonly callsQueued?: number;
  readonly toolsPerBackend?: number;
  readonly definitionBytes?: number;
}

export const DEFAULTS = {
  separator: '__',
  /** A first `npx` downloads its server. */
  connectTimeoutMs: 120_000,
  callTimeoutMs: 600_000,
  listWaitMs: 3000,
  /** Of sessions that began under another configuration. */
  maxDrainMs: 15 * 60_000,
  maxTtlMs: 30 * 24 * 3600 * 1000,
} as const;

/** Leaves out what is undefined, as exact optional properties want it. */
export function compact<T extends object>(value: T): Compact<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Compact<T>;
}

type Compact<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};
