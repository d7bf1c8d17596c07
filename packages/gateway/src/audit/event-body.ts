// An event as the middle of a record: members in fixed order, every text cut and escaped, arguments and results redacted.

import type { AuditEvent } from './audit-log.ts';
import { AUDIT_LIMITS as LIMITS } from './limits.ts';
import type { Redactor } from './redact.ts';
import { cutText, escaped, safeJson } from './safe-json.ts';

/** In which order members stand, whatever the type. */
const ORDER = [
  'session', 'ident', 'name', 'proven', 'via', 'roles', 'view', 'by', 'claimed', 'unrecorded', 'calls',
  'method', 'from', 'backend', 'kind', 'target', 'of', 'status', 'code', 'ms', 'bytes', 'why', 'reason',
  'decision', 'rule', 'role', 'policy', 'digest', 'what', 'hits', 'id', 'count', 'seqs', 'silenced',
] as const; // biome-ignore format: a table

/** Members with a comma before each; never more than a record holds. */
export function eventBody(event: AuditEvent, redactor: Redactor): string {
  const body = bodyOf(event, redactor, LIMITS.nameChars, false);
  if (Buffer.byteLength(body) <= LIMITS.bodyBytes) return body;
  return `${bodyOf(event, redactor, LIMITS.tightChars, true)},"cut":true`;
}

function bodyOf(event: AuditEvent, redactor: Redactor, chars: number, tight: boolean): string {
  const values = event as unknown as Readonly<Record<string, unknown>>;
  let body = '';
  for (const name of ORDER) {
    const value = values[name];
    if (value !== undefined) body += plainMember(name, bounded(value, chars));
  }
  if ('args' in event && event.args !== undefined) body += `,"args":${redactor.args(event.args, tight)}`;
  if ('result' in event && event.result) body += `,"result":{"hmac":"${redactor.result(event.result)}"}`;
  // Once for all texts in it.
  return escaped(body);
}

/** Empty for what is absent. */
export function member(name: string, value: unknown): string {
  return value === undefined ? '' : `,"${name}":${safeJson(value)}`;
}

function plainMember(name: string, value: unknown): string {
  return value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;
}

function bounded(value: unknown, chars: number): unknown {
  if (typeof value === 'string') return cutText(value, chars);
  if (Array.isArray(value)) return value.slice(0, LIMITS.namesInList).map((one) => cutText(String(one), chars));
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  return typeof value === 'boolean' ? value : undefined;
}
