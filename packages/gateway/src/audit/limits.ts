// Caps of the audit log. What callers and backends send ends up in records, so each part of a record has one.

const MiB = 1024 * 1024;

export const AUDIT_LIMITS = {
  /** One record's line, so that a reader can hold it and a batch stays small. What does not fit is cut with a mark. */
  lineBytes: 16 * 1024,
  /** Of that, what stands between a record's head and its MAC. */
  bodyBytes: 15 * 1024,
  /** One text of a caller in a record (arguments: clear), in UTF-16 units; the rest is counted. */
  textChars: 2048,
  /** One name: a tool, a principal, a reason. */
  nameChars: 512,
  /** The same in a record that would be too long: each unit is at most six bytes when escaped. */
  tightChars: 64,
  /** Arguments: how deep and how wide their shape is drawn. */
  shapeDepth: 8,
  shapeLeaves: 48,
  keyChars: 128,
  /** Names in a list: the roles of a caller. */
  namesInList: 8,
  /** Arguments and results that are hashed in one piece, in a buffer that stays; of larger ones no copy is made. */
  atOnceBytes: 16 * 1024,
  /** Arguments that are sealed whole; larger ones are recorded as digests. Base64 of it fits into a body. */
  sealedBytes: 10 * 1024,
  /** Notifications that are not passed on: how long one record of them waits for more, and how many records that may be. */
  burstMs: 1000,
  burstMethods: 16,
  /** Records that wait for the disk, before more are refused: a disk that hangs must not fill the memory. */
  waiting: 100_000,
  /** Records written by one write. */
  batchRecords: 1024,
  /** Kept free on the disk for the record that says the disk is full. */
  ballastBytes: MiB,
  /** When a segment ends, if nothing is configured. */
  rotateBytes: 64 * MiB,
  rotateMs: 24 * 3_600_000,
  /** The same with evolving keys: what a thief can still forge is what was written since the last one. */
  evolveMs: 15 * 60_000,
  /** A record even if nothing happens, so that silence means something. */
  heartbeatMs: 5 * 60_000,
  /** Between checkpoints, if nothing is configured. */
  checkpointMs: 10 * 60_000,
  /** How often a log that could not be written is tried again without being asked to. */
  retryMs: 1000,
  /** `durability: interval`, if nothing is configured. */
  intervalMs: 1000,
  /** Bytes of a key. */
  keyBytes: 32,
} as const;
