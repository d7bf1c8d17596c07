// What servers and files can size here.

export const PIN_LIMITS = {
  /** 10,000 definitions of 6 KiB; a file that is larger is not one of ours. */
  lockBytes: 64 * 1024 * 1024,
  /** JSON of 64 levels, and the file's own. */
  lockDepth: 160,
  /** Definitions that wait for a decision; a server that makes up new ones all the time does not fill the memory. */
  waiting: 10_000,
  /** Kinds of clients that a backend's list is remembered for. One more is judged like a known one. */
  clients: 256,
  /** Changes of one backend that are told of in one run; what comes then is hidden all the same. */
  told: 1000,
  /** Of a program that is digested: some runtimes are that large, nothing sensible is larger. */
  programBytes: 256 * 1024 * 1024,
  /** Of a Python package's list of files: 100,000 of them. */
  recordBytes: 16 * 1024 * 1024,
  /** Of uv's cache that are looked through for a package. */
  environments: 1000,
} as const;
