// Joins the log with that of a secret broker (a vault that backends or agents get credentials from): which reading of a
// credential belongs to which calls, by time, identity and credential name. A reading without a call is the finding: somebody
// used the credential past the gateway. The broker's log is lines of JSON or CSV; where it says what is told by dotted names.

import { UsageError } from '@mcp-overlay/cli';
import { parseCsvLine } from './csv.ts';
import { numberOf, textOf, timeOf } from './query/record.ts';
import type { ReadRecord } from './query/records.ts';

export interface BrokerFormat {
  readonly format: 'jsonl' | 'csv';
  /** Dotted names of members, or columns; the first that a line has counts. */
  readonly time: readonly string[];
  readonly who: readonly string[];
  readonly credential: readonly string[];
  /** Lines whose member is not this value are none of ours: Vault writes each request twice. */
  readonly only: readonly { readonly name: string; readonly value: string }[];
}

/** HashiCorp Vault's file audit device. */
export const VAULT: BrokerFormat = {
  format: 'jsonl',
  time: ['time'],
  who: ['auth.metadata.principal', 'auth.display_name', 'auth.entity_id'],
  credential: ['request.path'],
  only: [{ name: 'type', value: 'response' }],
};

export interface BrokerRead {
  /** Of the broker's file. */
  readonly line: number;
  readonly ms: number;
  readonly who: string | undefined;
  readonly credential: string;
}

export interface Join {
  readonly windowMs: number;
  /** The broker's names of who reads, by principal id; '' of all: the broker knows the gateway only. */
  identOf(who: string): string | undefined;
  /** Backends that use a credential; undefined: any may. */
  backendsOf(credential: string): ReadonlySet<string> | undefined;
}

export interface Correlated extends BrokerRead {
  readonly calls: readonly CallNearby[];
}

export interface CallNearby {
  readonly seq: number;
  readonly ts: string;
  readonly session: number | undefined;
  readonly ident: string | undefined;
  readonly backend: string | undefined;
  readonly target: string | undefined;
  /** Of the reading after the call; negative: before. */
  readonly afterMs: number;
}

/** Readings of one file; a broker's log of a day has fewer. */
const MAX_READS = 1_000_000;
/** Calls kept for one reading: more say no more. */
const MAX_CALLS = 20;

export function brokerReads(text: string, format: BrokerFormat): BrokerRead[] {
  const reads: BrokerRead[] = [];
  let columns: readonly string[] | undefined;
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    if (format.format === 'csv' && columns === undefined) {
      columns = parseCsvLine(line);
      continue;
    }
    const entry = columns ? rowOf(columns, parseCsvLine(line)) : parsed(line, at + 1);
    if (!format.only.every(({ name, value }) => valueAt(entry, [name]) === value)) continue;
    const time = valueAt(entry, format.time);
    const credential = valueAt(entry, format.credential);
    const ms = timeIn(time);
    if (credential === undefined || ms === undefined) {
      throw new UsageError(
        `line ${at + 1} has no ${credential === undefined ? `credential (${format.credential.join(', ')})` : `time (${format.time.join(', ')})`}`,
        'name its members with --time, --who and --credential',
      );
    }
    reads.push({ line: at + 1, ms, who: valueAt(entry, format.who), credential });
    if (reads.length > MAX_READS)
      throw new UsageError(`more than ${MAX_READS} lines`, 'give the lines of the time in question');
  }
  return reads.sort((a, b) => a.ms - b.ms);
}

/** Every reading in order of time, with the calls near it. `records` may begin and end around the readings. */
export async function correlate(
  reads: readonly BrokerRead[],
  records: AsyncIterable<ReadRecord>,
  { windowMs, identOf, backendsOf }: Join,
): Promise<readonly Correlated[]> {
  const calls = reads.map((): CallNearby[] => []);
  for await (const { record } of records) {
    const isCall = record.type === 'call.intent' || (record.type === 'call.outcome' && record.of === undefined);
    if (!isCall || record.backend === undefined) continue;
    const ms = timeOf(record);
    for (let at = firstFrom(reads, ms - windowMs); at < reads.length; at += 1) {
      const read = reads[at] as BrokerRead;
      if (read.ms > ms + windowMs) break;
      const ident = read.who === undefined ? undefined : identOf(read.who);
      const backends = backendsOf(read.credential);
      if (ident !== undefined && ident !== record.ident) continue;
      if (backends !== undefined && !backends.has(String(record.backend))) continue;
      const its = calls[at] as CallNearby[];
      if (its.length < MAX_CALLS) its.push(nearby(record, read.ms - ms));
    }
  }
  return reads.map((read, at) => ({ ...read, calls: calls[at] ?? [] }));
}

function nearby(record: ReadRecord['record'], afterMs: number): CallNearby {
  return {
    seq: numberOf(record, 'seq') ?? 0,
    ts: textOf(record, 'ts') ?? '',
    session: numberOf(record, 'session'),
    ident: textOf(record, 'ident'),
    backend: textOf(record, 'backend'),
    target: textOf(record, 'target'),
    afterMs,
  };
}

/** Index of the first reading at this time or later. */
function firstFrom(reads: readonly BrokerRead[], ms: number): number {
  let from = 0;
  let to = reads.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((reads[middle] as BrokerRead).ms < ms) from = middle + 1;
    else to = middle;
  }
  return from;
}

function parsed(line: string, at: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new UsageError(`line ${at} is no JSON`, 'a table is read with --format csv');
  }
}

function rowOf(columns: readonly string[], cells: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(columns.map((name, at) => [name, cells[at] ?? '']));
}

/** The first of these that the entry has, as text. A column may have dots in its name. */
function valueAt(entry: unknown, names: readonly string[]): string | undefined {
  for (const name of names) {
    const whole = own(entry, name);
    const found = whole ?? name.split('.').reduce<unknown>(own, entry);
    if (typeof found === 'string' && found !== '') return found;
    if (typeof found === 'number') return String(found);
  }
  return undefined;
}

function own(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** ISO, or seconds or milliseconds since 1970. */
function timeIn(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = /^\d{9,13}(\.\d+)?$/.test(text)
    ? Number(text) * (text.split('.')[0]?.length === 13 ? 1 : 1000)
    : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
