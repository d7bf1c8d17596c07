// Shared by the tests of the audit log: small logs in memory, and what a verifier says of them.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { AuditEvent, AuditLog, AuditReceipt } from '../../src/audit/audit-log.ts';
import { Chain, EMPTY_CHAIN } from '../../src/audit/chain.ts';
import { systemClock } from '../../src/audit/clock.ts';
import { Committer } from '../../src/audit/committer.ts';
import { eventBody } from '../../src/audit/event-body.ts';
import { KeyRing } from '../../src/audit/keys.ts';
import { type AuditLogOptions, openAuditLog } from '../../src/audit/open-audit-log.ts';
import { segmentName } from '../../src/audit/record.ts';
import { Redactor } from '../../src/audit/redact.ts';
import type { Anchor } from '../../src/audit/verify/anchors.ts';
import { type Verdict, type VerifyOptions, verifyLog } from '../../src/audit/verify/verify.ts';
import { stayingKey } from '../../src/audit/writing-keys.ts';
import { MemoryFiles } from '../../src/testing/memory-files.ts';

export const BASE = '/audit';
export const KEY = Buffer.from('0123456789abcdef0123456789abcdef');
export const OTHER_KEY = Buffer.from('another key, of thirty-two bytes');

export function call(n: number, args: unknown = { path: `/data/${n}` }): AuditEvent {
  return {
    type: 'call.intent',
    session: 1,
    ident: 'ziti:alice',
    method: 'tools/call',
    backend: 'fs',
    kind: 'tool',
    target: 'read_file',
    decision: 'allow',
    rule: 'reader/1',
    args,
  };
}

export interface OpenSample extends AsyncDisposable {
  readonly log: AuditLog;
  readonly files: MemoryFiles;
  readonly folder: string;
}

export async function openSample(
  options: Partial<AuditLogOptions> & { readonly files?: MemoryFiles } = {},
): Promise<OpenSample> {
  const files = options.files ?? new MemoryFiles();
  const log = await openAuditLog({ base: BASE, key: KEY, durability: 'commit', ...options, files });
  return { log, files, folder: join(BASE, log.id), [Symbol.asyncDispose]: () => log.close().catch(() => {}) };
}

/** A log as it stands in its folder: the lines of each segment, newline included. */
export interface Sample {
  readonly id: string;
  readonly segments: readonly (readonly Buffer[])[];
  readonly receipts: readonly AuditReceipt[];
  readonly key: Buffer;
}

/** With so many records in each segment, the last one closed but not sealed. */
export async function makeSample(segments: number, records: number, key = KEY): Promise<Sample> {
  const files = new MemoryFiles();
  const id = randomBytes(16).toString('hex');
  const folder = join(BASE, id);
  const clock = systemClock();
  const keys = stayingKey(key);
  const redactor = new Redactor('digest', keys.args, id);
  const committer = new Committer({
    folder,
    files,
    chain: new Chain(id, clock.boot, EMPTY_CHAIN),
    clock,
    keys,
    rotate: { bytes: Number.POSITIVE_INFINITY, ms: Number.POSITIVE_INFINITY },
    holds: async () => true,
    segment: undefined,
  });
  const receipts: AuditReceipt[] = [];
  for (let seg = 1; seg <= segments; seg += 1) {
    const ends = seg === 1 ? { first: 'log.open', last: 'call.intent' } : { first: 'call.intent', last: 'call.intent' };
    // The opening is a record too, and the seal that comes with the next segment.
    const count = records - (seg === segments ? 1 : 2);
    const batch = Array.from({ length: count }, (_, n) => {
      const type = n === 0 ? ends.first : seg === segments && n === count - 1 ? 'log.close' : ends.last;
      const body = type === 'call.intent' ? eventBody(call(n), redactor) : '';
      return { type, body, at: committer.now() };
    });
    receipts.push(...(await committer.commit(batch, true, seg > 1)));
  }
  return { id, segments: linesOf(files, folder, segments), receipts, key };
}

function linesOf(files: MemoryFiles, folder: string, segments: number): Buffer[][] {
  return Array.from({ length: segments }, (_, at) => splitLines(files.get(join(folder, segmentName(at + 1)))));
}

export function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0x0a, from) + 1 || bytes.length;
    lines.push(bytes.subarray(from, end));
    from = end;
  }
  return lines;
}

/** What is said of these segments, numbered from 1; `undefined` has no file. */
export async function verifySegments(
  { id, key }: Pick<Sample, 'id' | 'key'>,
  segments: readonly (Uint8Array | undefined)[],
  options: { readonly anchors?: readonly Anchor[]; readonly ring?: KeyRing; readonly from?: number } = {},
): Promise<Verdict> {
  const files = new MemoryFiles();
  const folder = join(BASE, id);
  await files.makeFolder(folder);
  for (const [at, bytes] of segments.entries()) if (bytes) files.put(join(folder, segmentName(at + 1)), bytes);
  return verify(files, { id, key }, options);
}

export function verify(
  files: MemoryFiles,
  { id, key }: Pick<Sample, 'id' | 'key'>,
  options: Partial<VerifyOptions> = {},
): Promise<Verdict> {
  return verifyLog({ folder: join(BASE, id), log: id, ring: new KeyRing([key]), files, ...options });
}
