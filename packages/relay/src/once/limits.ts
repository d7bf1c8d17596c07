// Caps of the ledger of call keys: who asks decides how many keys there are and how large their answers.

const MiB = 1024 * 1024;

export const ONCE_LIMITS = {
  /** Outcomes of one session that can be asked for again. A session has at most 256 + 1,024 calls open, and its newest
   *  outcomes are those that may still be on their way; older ones are unknown. */
  outcomesPerSession: 2048,
  /** Outcomes of all sessions: some 150 bytes of memory each. */
  outcomes: 131_072,
  /** Sessions whose numbers are remembered; the one that was quiet longest is forgotten. */
  sessions: 16_384,
  /** Sessions that ended on purpose: nobody asks for them again. */
  endedSessions: 4096,
  /** Answers that could not be written and are kept in memory until there is room. */
  unsavedBytes: 32 * MiB,
  /** Askings of one session that its server does not hear of, for it would bound them: each is charged what is kept of it, and
   *  4 KiB: as many calls as can be open, asked again by twelve clients one after the other. */
  askingBytes: 64 * MiB,
  /** Smallest and largest share of the disk that may be configured. */
  minBytes: 8 * MiB,
  maxBytes: 64 * 1024 * MiB,
  /** Of all files, at most so many bytes ... */
  bytes: 256 * MiB,
  /** ... and at most so old. */
  keepMs: 3_600_000,
  /** One file is an eighth of the bytes, a quarter of the time: what is dropped goes file by file. */
  filesByBytes: 8,
  filesByAge: 4,
  /** Other processes' files of one folder that are read: each restart leaves one until it is too old. */
  files: 1024,
} as const;
