// An event as the middle of a record: members in fixed order, every text cut and escaped, arguments and results redacted.

import type { AuditEvent, CallOutcome } from './audit-log.ts';
import { AUDIT_LIMITS as LIMITS } from './limits.ts';
import type { Redactor } from './redact.ts';
import { cutText, escaped, safeJson } from './safe-json.ts';

/** In which order members stand, whatever the type. */
const ORDER = [
  'session', 'ident', 'name', 'proven', 'via', 'roles', 'view', 'by', 'claimed', 'unrecorded', 'calls',
  'method', 'from', 'backend', 'kind', 'target', 'of', 'status', 'code', 'ms', 'bytes', 'why', 'reason',
  'decision', 'rule', 'role', 'policy', 'digest', 'what', 'count', 'was', 'now', 'hits', 'id', 'seqs', 'silenced',
] as const; // biome-ignore format: a table

const MEMBERS = ORDER.map((name) => [name, `,"${name}":`] as const);

/** Nearly all events are these: what they never have is not looked for in them. */
const OF_CALLS: Readonly<Record<Exclude<keyof CallOutcome, 'type' | 'args' | 'result'>, true>> = {
  session: true, ident: true, method: true, from: true, backend: true, kind: true, target: true, of: true, status: true,
  code: true, ms: true, bytes: true, why: true, decision: true, rule: true, role: true, policy: true,
  count: true,
}; // biome-ignore format: a table

const CALL_MEMBERS = MEMBERS.filter(([name]) => Object.hasOwn(OF_CALLS, name));

/** Members with a comma before each; never more than a record holds. */
export function eventBody(event: AuditEvent, redactor: Redactor): string {
  const body = bodyOf(event, redactor, LIMITS.nameChars, false);
  if (Buffer.byteLength(body) <= LIMITS.bodyBytes) return body;
  return `${bodyOf(event, redactor, LIMITS.tightChars, true)},"cut":true`;
}

function bodyOf(event: AuditEvent, redactor: Redactor, chars: number, tight: boolean): string {
  const values = event as unknown as Readonly<Record<string, unknown>>;
  let body = '';
  const members = event.type === 'call.intent' || event.type === 'call.outcome' ? CALL_MEMBERS : MEMBERS;
  for (const [name, before] of members) {
    const value = values[name];
    if (value === undefined) continue;
    const text = boundedText(value, chars);
    if (text !== undefined) body += before + text;
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

/** Facts are texts, numbers, flags and lists of texts; undefined: it is none. */
function boundedText(value: unknown, chars: number): string | undefined {
  if (typeof value === 'string') return JSON.stringify(cutText(value, chars));
  if (Array.isArray(value)) {
    return JSON.stringify(value.slice(0, LIMITS.namesInList).map((one) => cutText(String(one), chars)));
  }
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  return typeof value === 'boolean' ? String(value) : undefined;
}
