// Caps of scrubbing: what a stranger's text, or an operator's pattern file, may cost. Each has a reason here and a test.

const KiB = 1024;

export const SCRUB_LIMITS = {
  /** Patterns in force, shipped ones included: the literals of all are looked for in every text. */
  patterns: 500,
  /** Of one pattern: longer ones are lists of words, which belong into several. */
  patternBytes: KiB,
  /** Instructions of a compiled pattern: what one costs a character in the worst case. Those shipped have at most 2,000. */
  programSize: 4000,
  /** Looked through of one message; a longer one counts as not finished in time. */
  messageBytes: 4 * KiB * KiB,
  /** Looked through at once, on the thread that carries messages; a longer message goes to a worker. */
  inlineBytes: 64 * KiB,
  /** A text is looked through in windows, so that time and memory of one step are bounded; a match is no longer than `overlap`. */
  windowChars: 64 * KiB,
  overlapChars: 4 * KiB,
  /** How far from its literal a pattern looks, each way, where it does not say `reach`. */
  reachChars: 256,
  maxReachChars: 4096,
  /** What encoded parts of one message may become. */
  decodedChars: 64 * KiB,
  /** Encoded parts of one text that are decoded. */
  encodedParts: 64,
  /** Looking through one message may take this long. */
  budgetMs: 50,
  /** Recorded of one message; what more there is, is counted. */
  findings: 1000,
  /** Offsets kept of one hit. */
  offsets: 8,
  /** Threads for messages over `inlineBytes`, and messages that may wait for one. */
  workers: 2,
  waiting: 32,
} as const;
