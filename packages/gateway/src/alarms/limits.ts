// What alarms remember, at most. Callers choose names and arguments, so every table of them has a size.

export const ALARM_CAPS = {
  /** Counters of one rule (caller, or caller and call): the least recently used goes first. */
  counters: 4096,
  /** Identities whose habits are known; the one unseen for longest is forgotten, and learned anew without an alarm. */
  identities: 2000,
  /** Tools known of one identity at one backend; more are neither learned nor rung for. */
  toolsPerPair: 1000,
  /** Pairs of identity and backend, in all: what the state file can hold. */
  pairs: 10_000,
  /** Names in all; at 64 characters it is some 6 MB of state. */
  tools: 50_000,
  /** Characters of a name; longer ones are cut and end in a hash. */
  nameChars: 128,
  /** Causes that are remembered; the oldest goes first. */
  causes: 1000,
  silences: 200,
  /** Records named as evidence. */
  seqs: 5,
  /** Deliveries under way to one output; */
  sending: 4,
  /** and those that wait. More are left out, and counted. */
  waiting: 100,
} as const;

/** How long a command or a webhook may take. */
export const DELIVERY_MS = 10_000;
