// How much of the machine a child may have, as its operator says it. `none` is the default, because a default must run every
// server; `auto` is the best that is there; `strict` is all of it or no start; rules are what they say or no start.

export type SandboxWish = 'none' | 'auto' | 'strict' | SandboxRules;

export interface SandboxRules {
  /** private (the default): a /tmp of its own, empty at first and gone with it. */
  readonly tmp?: 'private' | 'shared' | undefined;
  /** false: no network but a loopback of its own. */
  readonly network?: boolean | undefined;
  /** Absolute. Given: it sees the system's folders, these and no others; left out: it may read everything. */
  readonly read?: readonly string[] | undefined;
  /** Absolute. What it may change, besides its working folder where one is configured. */
  readonly write?: readonly string[] | undefined;
  /** Of data, for each of its processes. */
  readonly memoryBytes?: number | undefined;
  /** Open at a time, for each of its processes. */
  readonly files?: number | undefined;
  /** And threads, of all of it together. */
  readonly processes?: number | undefined;
}

/** Only limits: no walls are needed for them. */
export function wantsWalls({ tmp, network, read, write, processes }: SandboxRules): boolean {
  return [tmp, network, read, write, processes].some((rule) => rule !== undefined);
}

export function wantsLimits({ memoryBytes, files, processes }: SandboxRules): boolean {
  return [memoryBytes, files, processes].some((rule) => rule !== undefined);
}
