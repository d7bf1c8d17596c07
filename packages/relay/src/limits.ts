// Caps on everything a peer can size. Each has a reason here, an error code (./errors.ts) and a test.

const MiB = 1024 * 1024;

export const LIMITS = {
  /** One message, both ways. A 16 MiB result fits with its envelope. */
  messageBytes: 18 * MiB,
  /** Nesting of one message. Deeper values parse but cannot be serialised again, and no real tool needs them. */
  jsonDepth: 64,
  /** Values and keys in one message: 10^6 keys cost 640 ms and 800 MB. */
  jsonTokens: 500_000,
  /** Messages in one batch of revision 2025-03-26: each may be a call. */
  batchMessages: 64,
  /** First line of a link, proof included. */
  preambleBytes: 64 * 1024,
  /** From accept to a recognised protocol and a whole first line. */
  handshakeMs: 10_000,
  /** Sent but not acknowledged on one link; above it the source is not read. */
  resendBytes: 32 * MiB,
  /** Queued towards one slow peer before its source is paused. */
  softQueueBytes: 8 * MiB,
  /** Queued towards one slow peer before its session is closed. */
  hardQueueBytes: 32 * MiB,
  /** Silence on a link before a ping, and pings unanswered before it is dead. */
  pingMs: 15_000,
  pingsUnanswered: 3,
  /** How long a host keeps a broken link after its last open call: silent, and closed. */
  linkWindowMs: 600_000,
  linkClosedWindowMs: 60_000,
  /** Sessions of one host. */
  sessions: 512,
  /** Calls in flight of one session, of all, and waiting. */
  callsPerSession: 256,
  callsInAll: 1024,
  callsQueued: 1024,
  /** Child processes of one program. */
  children: 512,
  /** Child processes of one session: each costs a third of a second of a core to start. */
  childrenPerSession: 64,
  /** Tools of one backend and the bytes of their definitions. */
  toolsPerBackend: 10_000,
  definitionBytes: 32 * MiB,
  /** Stray lines of a server within `strayWindowMs` before it is quarantined. */
  strayLines: 1000,
  strayBytes: MiB,
  strayWindowMs: 10_000,
  /** Kept of a child's stderr. */
  stderrRingBytes: 64 * 1024,
} as const;

export type Limits = { readonly [K in keyof typeof LIMITS]: number };
