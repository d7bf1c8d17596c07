// A log of any length, made as fast as records can be chained: calls of many callers over weeks, a seed decides all of them.
// For measuring what reads logs.

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditEvent } from '../audit/audit-log.ts';
import { segmentOpenBody, segmentSealBody } from '../audit/bodies.ts';
import { Chain, EMPTY_CHAIN } from '../audit/chain.ts';
import { eventBody } from '../audit/event-body.ts';
import { segmentName } from '../audit/record.ts';
import { Redactor } from '../audit/redact.ts';
import { stayingKey } from '../audit/writing-keys.ts';

export interface GeneratedLog {
  readonly path: string;
  readonly segments: number;
  readonly bytes: number;
}

export interface GeneratedLogOptions {
  /** Folder for logs; the log has a folder of its own in it. */
  readonly base: string;
  readonly key: Uint8Array;
  readonly records: number;
  readonly seed: number;
  readonly segmentBytes?: number;
  /** Of the first record. */
  readonly fromMs?: number;
  /** Between two records. */
  readonly stepMs?: number;
}

const TOOLS = [
  'read_file',
  'write_file',
  'execute_sql',
  'create_issue',
  'search',
  'list_directory',
  'send_mail',
  'deploy',
];
const BUFFERED = 4 * 1024 * 1024;
/** Different arguments of calls. */
const VALUES = 50_000;
const RESULT = Buffer.from('{}');

export function generateLog(o: GeneratedLogOptions): GeneratedLog {
  const { base, key, records, seed, segmentBytes = 64 * 1024 * 1024, fromMs = Date.UTC(2026, 9, 1), stepMs = 200 } = o;
  const log = seed.toString(16).padStart(32, '0');
  const path = join(base, log);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { kid, args, mac } = stayingKey(key);
  const signing = { kid, mac };
  const redactor = remembering(new Redactor('digest', args, log));
  const chain = new Chain(log, '0', EMPTY_CHAIN);
  const random = randomOf(seed);
  let file = -1;
  let held: Buffer[] = [];
  let heldBytes = 0;
  let inSegment = 0;
  let count = 0;
  let segments = 0;
  let bytes = 0;
  let first = { seq: 1, ts: '' };
  let last = first;

  const flush = (): void => {
    writeSync(file, Buffer.concat(held, heldBytes));
    held = [];
    heldBytes = 0;
  };
  const add = (type: string, body: string): void => {
    const ts = new Date(fromMs + chain.seq * stepMs).toISOString();
    const line = Buffer.from(chain.add(type, body, { ts, mono: chain.seq * stepMs }, signing));
    last = { seq: chain.seq, ts };
    count += 1;
    held.push(line);
    heldBytes += line.length;
    inSegment += line.length;
    bytes += line.length;
    if (heldBytes > BUFFERED) flush();
  };
  const begin = (): void => {
    const before = chain.state();
    chain.nextSegment();
    segments += 1;
    file = openSync(join(path, segmentName(segments)), 'wx', 0o600);
    inSegment = 0;
    count = 0;
    add('segment.open', segmentOpenBody(before));
    first = last;
  };
  const end = (): void => {
    add('segment.seal', segmentSealBody({ count, first, last }, chain.state().tree));
    flush();
    closeSync(file);
  };

  begin();
  while (chain.seq < records) {
    const session = 1 + Math.floor(chain.seq / 2000) * 8 + Math.floor(random() * 8);
    const facts = {
      session,
      ident: `ziti:caller-${session % 400}`,
      method: 'tools/call',
      backend: `backend-${session % 12}`,
      kind: 'tool',
      target: TOOLS[Math.floor(random() * TOOLS.length)] ?? '',
      decision: 'allow',
      rule: 'engineer#2',
      role: 'engineer',
    } as const;
    const asked = argsOf(Math.floor(random() * VALUES));
    add('call.intent', eventBody({ type: 'call.intent', ...facts, args: asked } as AuditEvent, redactor));
    const status = random() < 0.001 ? 'timeout' : random() < 0.02 ? 'error' : 'ok';
    const outcome = { type: 'call.outcome', ...facts, of: chain.seq, status, ms: 12.5, bytes: 4096, result: RESULT };
    add('call.outcome', eventBody(outcome as AuditEvent, redactor));
    if (inSegment > segmentBytes) {
      end();
      begin();
    }
  }
  flush();
  closeSync(file);
  return { path, segments, bytes };
}

/** Of the arguments with this number. */
export function argsOf(value: number): { readonly path: string; readonly id: number; readonly limit: number } {
  return { path: `/srv/data/${value}.txt`, id: value, limit: 10 };
}

/** Digests are most of the work, and there are not that many different ones. */
function remembering(redactor: Redactor): Redactor {
  const known = new Map<unknown, string>();
  const once = (key: unknown, make: () => string): string => {
    const text = known.get(key) ?? make();
    known.set(key, text);
    return text;
  };
  return {
    args: (args: { id: number }) => once(args.id, () => redactor.args(args)),
    result: (bytes: Uint8Array) => once('result', () => redactor.result(bytes)),
  } as unknown as Redactor;
}

/** mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
