// Caps of scrubbing: what a stranger's text, or an operator's pattern file, may cost. Each has a reason here and a test.

const KiB = 1024;

export const SCRUB_LIMITS = {
  /** Patterns in force, shipped ones included: the literals of all are looked for in every text. */
  patterns: 500,
  /** Of one pattern: longer ones are lists of words, which belong into several. */
  patternBytes: KiB,
  /** Instructions of a compiled pattern: what one costs a character in the worst case. Those shipped have at most 2,000. */
  programSize: 4000,
  /** Text looked through of one message; what is longer counts as looked through in part. */
  textChars: 4 * KiB * KiB,
  /** Of one message in a thread of its own: images and audio in it are not looked into, but they travel. */
  messageBytes: 32 * KiB * KiB,
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
  /** Work on one message, in characters looked at (./scan.ts), not in time: what a quiet machine passes, a busy one passes
   *  too. Documentation takes 9 a character, a text of nothing but attacks 100. In a worker, some seconds of one core … */
  work: 64 * KiB * KiB,
  /** … and on the thread that carries messages, some 15 ms; an answer that needs more goes to a worker. */
  inlineWork: KiB * KiB,
  /** Looking for where a match stands costs as much more than finding out that there is one. */
  matchWork: 16,
  /** A worker that is still at one message is ended: there is no such message. */
  stuckMs: 60_000,
  /** Recorded of one message; what more there is, is counted. */
  findings: 1000,
  /** Offsets kept of one hit. */
  offsets: 8,
  /** Threads for messages over `inlineBytes`, and messages that may wait for one. */
  workers: 2,
  waiting: 32,
} as const;
