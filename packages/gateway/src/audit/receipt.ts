// The receipt that an answer carries: of this gateway's record, and around that of a gateway behind it, which is told as it
// came. It is a server's word: taken for a receipt only if it looks like one, and never checked here.

import type { AuditReceipt } from '../call/call.ts';
import { asObject } from '../call/json.ts';

export interface ReceiptChain {
  readonly log: string;
  readonly seq: number;
  readonly hash: string;
  /** Of the gateway behind. */
  readonly behind?: ReceiptChain;
}

/** More gateways in a row no session goes through (relay/acceptor). */
const DEEPEST = 8;
const LOG = /^[\x21-\x7e]{1,64}$/;
const HASH = /^sha256:[0-9a-f]{64}$/;
/** Of `DEEPEST` receipts as they are written; a longer text is none. */
const MAX_CHARS = 2048;

/** `inner`: JSON text of what stood there before. */
export function receiptOver({ log, seq, hash }: AuditReceipt, inner: string | undefined): ReceiptChain {
  const behind = inner === undefined || inner.length > MAX_CHARS ? undefined : read(JSON.parse(inner), DEEPEST - 1);
  return { log, seq, hash, ...(behind && { behind }) };
}

function read(value: unknown, deepest: number): ReceiptChain | undefined {
  const { log, seq, hash, behind } = asObject(value) ?? {};
  if (deepest === 0 || typeof log !== 'string' || !LOG.test(log)) return undefined;
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 0) return undefined;
  if (typeof hash !== 'string' || !HASH.test(hash)) return undefined;
  const deeper = read(behind, deepest - 1);
  return { log, seq, hash, ...(deeper && { behind: deeper }) };
}
