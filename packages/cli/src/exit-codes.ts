// What our exit codes mean (design: the same for all three programs).

export const EXIT = {
  done: 0,
  /** Failed at run time. */
  failed: 1,
  /** Wrong use or configuration. */
  usage: 2,
  /** Refused: identity or policy. */
  refused: 3,
  /** Cannot reach the network or the share. */
  unreachable: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
