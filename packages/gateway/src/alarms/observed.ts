// What detectors look at: an audit event, with its number and the time, as far as it concerns them. Arguments are there as a
// fingerprint and nowhere else.

import { createHash, hash } from 'node:crypto';
import { stringifyExact } from '@mcp-overlay/relay';
import type { AuditEvent } from '../audit/audit-log.ts';
import type { TargetKind } from '../call/call.ts';
import { asObject } from '../call/json.ts';
import { ALARM_CAPS } from './limits.ts';

export interface Times {
  /** Milliseconds since 1970: for days, hours and what outlives this process. */
  readonly wall: number;
  /** Milliseconds of a clock that nobody sets: for everything counted in windows. */
  readonly mono: number;
}

interface Facts extends Times {
  /** Of the record; absent: it is not on record. */
  readonly seq?: number;
}

/** A call on its way to a server, or one that came no further than us. */
export interface ObservedCall extends Facts {
  readonly ident: string;
  readonly method: string;
  readonly backend?: string;
  readonly kind?: TargetKind;
  readonly target?: string;
}

export type Observed =
  | (ObservedCall & { readonly what: 'call'; readonly print: string })
  | (ObservedCall & { readonly what: 'refused'; readonly code: string })
  /** Who hosts a share behind us is not who it was. */
  | (Facts & { readonly what: 'host'; readonly backend: string; readonly code: string });

/** undefined: no detector has anything to do with it. */
export function observe(event: AuditEvent, seq: number | undefined, times: Times): Observed | undefined {
  const facts = { ...times, ...(seq !== undefined && { seq }) };
  switch (event.type) {
    case 'call.intent':
      if (event.from === 'backend') return undefined;
      return { what: 'call', ...facts, ...callOf(event), print: fingerprint(event.args) };
    case 'call.outcome':
      // With `of` its intent was seen. Without one it reached no server: refused by us, or a decoy answered.
      if (event.from === 'backend' || event.of !== undefined) return undefined;
      if (event.status !== 'refused' && event.status !== 'error') return undefined;
      return { what: 'refused', ...facts, ...callOf(event), code: String(event.code ?? event.status) };
    case 'auth.deny':
      return { what: 'refused', ...facts, ident: event.ident ?? 'unproven', method: 'connect', code: event.code };
    default:
      return undefined;
  }
}

type CallEvent = Extract<AuditEvent, { type: 'call.intent' | 'call.outcome' }>;

function callOf({ ident, method, backend, kind, target }: CallEvent) {
  return {
    ident: rootOf(ident),
    method,
    ...(backend !== undefined && { backend }),
    ...(kind !== undefined && { kind }),
    ...(target !== undefined && { target: shortName(target) }),
  };
}

/** A narrowed token is the one it was made from: narrowing makes nobody new. */
export function rootOf(ident: string): string {
  return /^(token:[0-9a-f]{24})\//.exec(ident)?.[1] ?? ident;
}

/** Whether any detector could have something to do with it: most outcomes are of calls that were seen on their way down. */
export function concerns(event: AuditEvent): boolean {
  return event.type !== 'call.outcome' || event.of === undefined;
}

/** Arguments are not changed on their way, and more than one asks. */
const prints = new WeakMap<object, string>();

/** Equal for equal arguments, in whatever order their members stand. Never leaves this process: it could be tried out. */
export function fingerprint(args: unknown): string {
  const object = asObject(args);
  const known = object && prints.get(object);
  if (known !== undefined) return known;
  const print = hash('sha256', args === undefined ? '' : stringifyExact(ordered(args) as never), 'base64');
  if (object) prints.set(object, print);
  return print;
}

/** Depth is capped where messages are read. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  const object = asObject(value);
  if (!object || Object.getPrototypeOf(object) !== Object.prototype) return value;
  const keys = Object.keys(object).sort();
  return Object.fromEntries(keys.map((key) => [key, ordered(object[key])]));
}

export function shortName(name: string): string {
  if (name.length <= ALARM_CAPS.nameChars) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `${name.slice(0, ALARM_CAPS.nameChars - 17)}~${hash}`;
}
