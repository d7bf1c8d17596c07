// Shows that one record is in a log, to somebody who has a signed checkpoint and no secret. The form is C2SP's tlog-proof
// (github.com/C2SP/C2SP: tlog-proof.md), the record stands in its `extra`; hashes and their order are RFC 6962's.

import { join } from 'node:path';
import { AuditError } from '../errors.ts';
import type { AuditFiles } from '../files.ts';
import { segmentsIn } from '../folder.ts';
import { LineHash } from '../line-hash.ts';
import { eachLine } from '../lines.ts';
import { nodeHash, Tree } from '../merkle.ts';
import { isSignedBy, parseCheckpoint } from '../note.ts';
import { segmentName } from '../record.ts';

const HEADER = 'c2sp.org/tlog-proof@v1';
const PROOF =
  /^c2sp\.org\/tlog-proof@v1\nextra ([A-Za-z0-9+/]+=*)\nindex (0|[1-9][0-9]{0,14})\n((?:[A-Za-z0-9+/]{43}=\n){0,64})\n/;

/** A subtree beside the way from a leaf to the root: leaves [from, to). */
interface Beside {
  readonly from: number;
  readonly to: number;
  readonly tree: Tree;
}

/** Rejects `audit_unreadable` when the log is not the one that the checkpoint is of, or does not reach so far. */
export async function prove(
  { folder, log, files }: { readonly folder: string; readonly log: string; readonly files: AuditFiles },
  seq: number,
  note: string,
): Promise<string> {
  const checkpoint = parseCheckpoint(note);
  if (checkpoint?.log !== log) throw unprovable(folder, 'there is no checkpoint of this log');
  if (seq < 1 || seq > checkpoint.size) {
    throw unprovable(folder, `record ${seq} is not in its checkpoint, which ends at ${checkpoint.size}`);
  }
  const index = seq - 1;
  const beside = besides(index, checkpoint.size);
  const whole = new Tree();
  let record: string | undefined;
  await eachLeaf(folder, files, checkpoint.size, (leaf, at, line) => {
    whole.add(leaf);
    if (at === index) record = line.toString('base64');
    beside.find(({ from, to }) => at >= from && at < to)?.tree.add(leaf);
  });
  if (record === undefined || !whole.root().equals(checkpoint.root)) {
    throw unprovable(folder, 'it is not what the checkpoint was made of: see audit verify');
  }
  const hashes = beside.map(({ tree }) => `${tree.root().toString('base64')}\n`).join('');
  return `${HEADER}\nextra ${record}\nindex ${index}\n${hashes}\n${note}`;
}

export type ProofVerdict =
  | { readonly ok: true; readonly log: string; readonly seq: number; readonly record: string }
  | { readonly ok: false; readonly why: string };

/** Needs the proof and a public key, nothing else. */
export function checkProof(text: string, verifierKeys: readonly string[]): ProofVerdict {
  const match = PROOF.exec(text);
  if (!match) return { ok: false, why: 'it is no proof' };
  const [head, extra = '', digits, lines = ''] = match;
  const note = text.slice(head.length);
  const checkpoint = parseCheckpoint(note);
  if (!checkpoint) return { ok: false, why: 'there is no checkpoint in it' };
  if (!isSignedBy(note, verifierKeys)) return { ok: false, why: 'its checkpoint is not signed by this key' };
  const line = Buffer.from(extra, 'base64');
  const hash = new LineHash();
  if (!hash.load(line)) return { ok: false, why: 'its record is longer than any' };
  const hashes = lines
    .split('\n')
    .slice(0, -1)
    .map((one) => Buffer.from(one, 'base64'));
  const root = rootFrom(hash.leaf(), Number(digits), checkpoint.size, hashes);
  if (!root?.equals(checkpoint.root)) return { ok: false, why: 'its record is not in the checkpoint' };
  return { ok: true, log: checkpoint.log, seq: Number(digits) + 1, record: line.toString() };
}

/** PATH of RFC 6962 2.1.1, nearest first. */
function besides(index: number, size: number): Beside[] {
  const found: Beside[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    let split = 1;
    while (split * 2 < to - from) split *= 2;
    const left = index < from + split;
    found.unshift({ from: left ? from + split : from, to: left ? to : from + split, tree: new Tree() });
    if (left) to = from + split;
    else from += split;
  }
  return found;
}

/** RFC 9162 2.1.3.2; undefined: there are too few hashes, or too many. */
function rootFrom(leaf: Buffer, index: number, size: number, hashes: readonly Buffer[]): Buffer | undefined {
  if (index >= size || hashes.length !== besides(index, size).length) return undefined;
  let node = leaf;
  let at = index;
  let last = size - 1;
  for (const hash of hashes) {
    // A right end without a neighbour is carried up until it has one.
    for (; at > 0 && at % 2 === 0 && at === last; at /= 2) last /= 2;
    node = at % 2 === 1 ? nodeHash(hash, node) : nodeHash(node, hash);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return node;
}

async function eachLeaf(
  folder: string,
  files: AuditFiles,
  count: number,
  take: (leaf: Buffer, index: number, line: Buffer) => void,
): Promise<void> {
  const hash = new LineHash();
  let index = 0;
  for (const seg of await segmentsIn(folder, files)) {
    const file = await files.openToRead(join(folder, segmentName(seg)));
    try {
      await eachLine(file, 0, ({ bytes }) => {
        if (index >= count || !hash.load(bytes)) return false;
        take(hash.leaf(), index, bytes);
        index += 1;
        return true;
      });
    } finally {
      await file.close();
    }
  }
}

function unprovable(folder: string, why: string): AuditError {
  return new AuditError('audit_unreadable', `${folder}: ${why}`, {
    hint: 'checkpoints are written where audit.checkpoint names a key',
  });
}
