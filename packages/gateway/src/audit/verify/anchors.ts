// What is known of a log from elsewhere: receipts that callers keep, checkpoints that somebody copied. Without one the end of
// a log can be cut off and nobody can tell.
//   a file of receipts     JSON lines {"log":…,"seq":…,"hash":"sha256:…"} as mcp-tools keeps them
//   a checkpoint           the note in the log's folder, from before
//   SEQ:HASH               typed

import { AuditError } from '../errors.ts';
import { type Checkpoint, parseCheckpoint } from '../note.ts';

export interface Anchor {
  /** undefined: of the log that is checked. */
  readonly log: string | undefined;
  readonly seq: number;
  /** Hex: of the record's line, or of the tree up to it. */
  readonly hash?: string;
  readonly root?: string;
  readonly from: string;
}

const TYPED = /^([1-9][0-9]{0,14}):(?:sha256:)?([0-9a-f]{64})$/;

/** Anchors in a text that `from` names. Rejects what holds none. */
export function parseAnchors(text: string, from: string): Anchor[] {
  const typed = parseTyped(text.trim(), from);
  if (typed) return [typed];
  const checkpoint = parseCheckpoint(text);
  if (checkpoint) return [checkpointAnchor(checkpoint, from)];
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const receipts = lines.map((line) => parseReceipt(line, from));
  // Whoever keeps receipts may have been killed while it wrote the last one.
  if (receipts.at(-1) === undefined) receipts.pop();
  const anchors = receipts.filter((anchor) => anchor !== undefined);
  if (anchors.length > 0 && anchors.length === receipts.length) return anchors;
  throw new AuditError('audit_unreadable', `${from} holds no anchors`, {
    hint: 'lines of {"log":…,"seq":…,"hash":…}, a checkpoint, or SEQ:HASH',
  });
}

export function parseTyped(text: string, from: string): Anchor | undefined {
  const [, seq, hash = ''] = TYPED.exec(text) ?? [];
  return seq === undefined ? undefined : { log: undefined, seq: Number(seq), hash, from };
}

export function checkpointAnchor({ log, size, root }: Checkpoint, from: string): Anchor {
  return { log, seq: size, root: root.toString('hex'), from };
}

function parseReceipt(line: string, from: string): Anchor | undefined {
  try {
    const { log, seq, hash } = JSON.parse(line) as { log?: unknown; seq?: unknown; hash?: unknown };
    const hex = typeof hash === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(hash)?.[1] : undefined;
    if (typeof log !== 'string' || !Number.isSafeInteger(seq) || hex === undefined) return undefined;
    return { log, seq: seq as number, hash: hex, from };
  } catch {
    return undefined;
  }
}
