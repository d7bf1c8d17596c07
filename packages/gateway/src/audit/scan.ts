// The last segment read from its beginning, before anything is added to it. A crash leaves at most one broken line, at the
// very end; anything else that is wrong was not a crash.

import { parseRecord, treeBefore } from './bodies.ts';
import type { ChainState } from './chain.ts';
import type { AuditFile } from './files.ts';
import { Inspector } from './inspect.ts';
import type { KeyRing } from './keys.ts';
import { eachLine, type Line } from './lines.ts';
import type { Tree } from './merkle.ts';

export interface Scanned {
  readonly state: ChainState;
  /** Whose key the next record is under. */
  readonly kid: string;
  readonly sealed: boolean;
  /** Whole records, and where they end. */
  readonly count: number;
  readonly bytes: number;
  readonly first: { readonly seq: number; readonly ts: string; readonly mono: number; readonly boot: string };
  readonly last: { readonly seq: number; readonly ts: string };
  /** Bytes after the last whole record. */
  readonly torn: number;
}

export interface Fault {
  readonly offset: number;
  readonly why: string;
  /** It is a key that is missing, not the log that is broken. */
  readonly kid?: string;
}

/** undefined: no whole record in it. */
export async function scanSegment(
  file: AuditFile,
  { log, seg, ring }: { readonly log: string; readonly seg: number; readonly ring: KeyRing },
): Promise<Scanned | Fault | { readonly torn: number }> {
  const inspector = new Inspector(ring);
  let at: { seq: number; hash: string; tree: Tree; kid: string } | undefined;
  let first: Scanned['first'] | undefined;
  let last: Scanned['last'] | undefined;
  let sealed = false;
  let count = 0;
  let bytes = 0;
  let bad: Fault | undefined;
  let badEnd = 0;
  let glued = false;
  /** Why it does not belong here; undefined: it does, and was taken. */
  const take = (line: Line): Fault | undefined => {
    const { offset } = line;
    const seen = inspector.inspect(line.bytes, seg);
    if (seen.is === 'unknown-key') return { offset, why: 'its key is not known', kid: seen.head.kid };
    if (seen.is !== 'record' || !line.terminated) return { offset, why: 'it is no record' };
    const { head, tail } = seen;
    if (head.log !== log || head.seg !== seg) return { offset, why: 'it is of another log or segment' };
    if (sealed) return { offset, why: 'it stands after the seal' };
    if (at === undefined) {
      const tree = head.type === 'segment.open' ? treeBefore(head.seq, parseRecord(line.bytes).peaks) : undefined;
      if (tree === undefined) return { offset, why: 'it does not open the segment' };
      at = { seq: head.seq - 1, hash: tail.prev, tree, kid: head.kid };
      first = head;
    }
    if (head.seq !== at.seq + 1 || tail.prev !== at.hash || head.kid !== at.kid)
      return { offset, why: 'it does not follow' };
    if (head.type === 'key.rotate') at.kid = String(parseRecord(line.bytes).to);
    at.seq = head.seq;
    at.hash = inspector.hash();
    at.tree.add(inspector.leaf());
    sealed = head.type === 'segment.seal';
    last = head;
    count += 1;
    bytes = line.end;
    return undefined;
  };
  await eachLine(file, 0, (line) => {
    // Something follows the broken line: it was not the last thing that was written.
    if (bad !== undefined) return false;
    bad = take(line);
    badEnd = line.end;
    glued = bad !== undefined && inspector.isGlued(line.bytes, seg);
    return true;
  });
  const size = await file.size();
  if (bad !== undefined && (size > badEnd || bad.kid !== undefined || sealed || glued)) return bad;
  const torn = size - bytes;
  if (at === undefined || first === undefined || last === undefined) return { torn };
  return {
    state: { seg, seq: at.seq, hash: at.hash, tree: at.tree },
    kid: at.kid,
    sealed,
    count,
    bytes,
    first,
    last,
    torn,
  };
}
