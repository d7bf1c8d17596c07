// What a file says of how much callers, tools and backends may be used: rates, calls at a time, calls a day. Other caps of
// `limits` protect the machine and are in ./config.ts.

/** Members that are absent limit nothing. */
export interface AllowanceConfig {
  /** So many in so many milliseconds, on average. */
  readonly rate?: { readonly count: number; readonly perMs: number };
  /** So many at once, before the rate is felt; with a rate, always there. */
  readonly burst?: number;
  /** Open at a time. */
  readonly concurrent?: number;
  /** In a day of UTC. */
  readonly daily?: number;
}

export interface AllowancesConfig {
  /** Of every identity but the owner that no entry names. */
  readonly others?: AllowanceConfig;
  readonly identities: readonly IdentityAllowance[];
  readonly backends: ReadonlyMap<string, AllowanceConfig>;
  readonly tools: readonly ToolAllowance[];
}

export interface IdentityAllowance extends AllowanceConfig {
  /** As the file names it. */
  readonly name: string;
  /** Principal ids, `owner`, `network`, `unproven`, `group:<name>`: any one of them. */
  readonly is: readonly string[];
}

/** One budget for all tools it covers. */
export interface ToolAllowance extends AllowanceConfig {
  /** Globs on ids. */
  readonly backends: readonly string[];
  /** Globs on the backends' own names. */
  readonly tools: readonly string[];
  /** all: one budget for everybody; identity: each has its own, and the owner none. */
  readonly per: 'identity' | 'all';
}
