// The line of a record: UTF-8 JSON, keys in fixed order, the MAC last and of fixed length, so that what is authenticated is
// bytes and never a re-serialisation. docs/AUDIT.md is the reference.
//   {"v":1,"log":…,"seg":…,"seq":…,"ts":…,"mono":…,"boot":…,"kid":…,"type":… ‖ body ‖ ,"prev":"<64 hex>","mac":"<64 hex>"}

/** What every record begins with. */
export interface RecordHead {
  readonly log: string;
  readonly seg: number;
  readonly seq: number;
  readonly ts: string;
  /** Milliseconds of a clock that nobody sets; comparable within one `boot`. */
  readonly mono: number;
  readonly boot: string;
  readonly kid: string;
  readonly type: string;
}

export interface RecordTail {
  readonly prev: string;
  readonly mac: string;
}

/** `prev` of the first record. */
export const NO_HASH = '0'.repeat(64);

const BEFORE_PREV = ',"prev":"';
const BEFORE_MAC = '","mac":"';
const END = '"}';
/** Bytes after the body. */
export const TAIL_BYTES = BEFORE_PREV.length + 64 + BEFORE_MAC.length + 64 + END.length;
/** Bytes from `,"mac"` on: what the MAC does not cover. */
export const MAC_BYTES = BEFORE_MAC.length - 1 + 64 + END.length;

/** Enough for any head of ours. */
const HEAD_BYTES = 400;
const HEAD =
  /^\{"v":1,"log":"([0-9a-f]{32})","seg":([1-9][0-9]{0,9}),"seq":([1-9][0-9]{0,14}),"ts":"([0-9T:.Z+-]{24,27})","mono":([0-9]{1,15}),"boot":"([0-9a-f-]{1,36})","kid":"([ke][0-9a-f]{16})","type":"([a-z.]{1,24})"[,}]/;
const TAIL = /^,"prev":"([0-9a-f]{64})","mac":"([0-9a-f]{64})"\}$/;

/** The line, and each member that the pattern takes. */
type HeadMatch = readonly [string, string, string, string, string, string, string, string, string];

export function headText({ log, seg, seq, ts, mono, boot, kid, type }: RecordHead): string {
  return `{"v":1,"log":"${log}","seg":${seg},"seq":${seq},"ts":"${ts}","mono":${mono},"boot":"${boot}","kid":"${kid}","type":"${type}"`;
}

export function prevText(prev: string): string {
  return `${BEFORE_PREV}${prev}"`;
}

export function macText(mac: string): string {
  return `${BEFORE_MAC.slice(1)}${mac}${END}`;
}

/** undefined: it is no record as we write them. */
export function readHead(line: Buffer): RecordHead | undefined {
  const match = HEAD.exec(line.toString('latin1', 0, HEAD_BYTES));
  if (!match) return undefined;
  const [, log, seg, seq, ts, mono, boot, kid, type] = match as readonly string[] as HeadMatch;
  return { log, seg: Number(seg), seq: Number(seq), ts, mono: Number(mono), boot, kid, type };
}

export function readTail(line: Buffer): RecordTail | undefined {
  const match = TAIL.exec(line.toString('latin1', Math.max(0, line.length - TAIL_BYTES)));
  if (!match) return undefined;
  const [, prev, mac] = match as readonly string[] as readonly [string, string, string];
  return { prev, mac };
}

export function isSegmentName(name: string): boolean {
  return /^[0-9]{10}\.jsonl$/.test(name);
}

export function segmentName(seg: number): string {
  return `${String(seg).padStart(10, '0')}.jsonl`;
}

/** Number of a segment's file; NaN if it is none. */
export function segmentNumber(name: string): number {
  return isSegmentName(name) ? Number(name.slice(0, 10)) : Number.NaN;
}
