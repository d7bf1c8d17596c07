// What every export format says of a record, in one place: how bad it is, what to call it. Formats differ in words only.

import { numberOf, textOf } from '../query/record.ts';
import type { ReadRecord } from '../query/records.ts';

/** Of the machine and program that export, not of the record. */
export interface Exporter {
  readonly host: string;
  readonly version: string;
}

/** One record as one line, without a newline. */
export type Format = (read: ReadRecord, by: Exporter) => string;

export type Severity = 'info' | 'notice' | 'warning' | 'error';

export const VENDOR = 'mcp-overlay';
export const PRODUCT = 'mcp-gateway';

export function severityOf({ record }: ReadRecord): Severity {
  switch (record.type) {
    case 'auth.deny':
    case 'log.recovered':
    case 'config.reject':
      return 'warning';
    case 'admin':
    case 'config.apply':
    case 'key.rotate':
      return 'notice';
    case 'call.outcome':
      return OUTCOMES[String(record.status)] ?? 'info';
    default:
      return 'info';
  }
}

const OUTCOMES: Readonly<Record<string, Severity>> = {
  ok: 'info',
  error: 'notice',
  cancelled: 'notice',
  timeout: 'notice',
  refused: 'warning',
  unknown: 'error',
};

/** A sentence for whoever skims. */
export function sentence({ record }: ReadRecord): string {
  const who = textOf(record, 'ident') ?? textOf(record, 'by') ?? 'mcp-gateway';
  const target = textOf(record, 'target');
  const what = [textOf(record, 'method') ?? textOf(record, 'what'), target].filter(Boolean).join(' ');
  const where = record.backend === undefined ? '' : ` of ${record.backend}`;
  const how = textOf(record, 'status') ?? (record.type === 'call.intent' ? 'begins' : undefined);
  return `${record.type}: ${who}${what === '' ? '' : ` ${what}${where}`}${how === undefined ? '' : ` (${how})`}`;
}

/** HMAC of a call's arguments, to tell equal ones. */
export function argsDigest({ record }: ReadRecord): string | undefined {
  return hmacIn(record.args);
}

export function resultDigest({ record }: ReadRecord): string | undefined {
  return hmacIn(record.result);
}

/** Members of a record that are texts or numbers. */
export function plain(read: ReadRecord, member: string): string | undefined {
  const text = textOf(read.record, member);
  const number = numberOf(read.record, member);
  return text ?? (number === undefined ? undefined : String(number));
}

function hmacIn(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { hmac } = value as { hmac?: unknown };
  return typeof hmac === 'string' ? hmac : undefined;
}
