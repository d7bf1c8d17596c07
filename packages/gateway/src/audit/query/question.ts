// What a query asks. Every part must hold; of several words for one value any. A call is asked as a whole: what stands in
// its intent (arguments) and what stands in its outcome (status).

import { AUDIT_LIMITS } from '../limits.ts';
import { cutText } from '../safe-json.ts';
import type { LeafReader } from './leaves.ts';
import { type AuditRecord, numberOf, textOf, timeOf } from './record.ts';

export interface Question {
  readonly session?: number;
  readonly ident?: string;
  readonly backend?: string;
  /** A tool, prompt, resource or method, by the backend's own name. */
  readonly target?: string;
  readonly type?: string;
  readonly status?: string;
  readonly decision?: string;
  readonly args: readonly { readonly path: string; readonly value: string }[];
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly fromSeq?: number;
  readonly toSeq?: number;
}

/** One call, or one record that belongs to none. */
export interface Found {
  readonly record: AuditRecord;
  /** Of a call with an intent: what became of it; undefined: nobody knows. */
  readonly outcome?: AuditRecord;
}

/** Words that a record must have one of, for each part; what the index is asked. */
export type Clause = readonly string[];

export interface Asked {
  readonly clauses: readonly Clause[];
  /** The records to look for are outcomes, whose intents are then looked up. */
  readonly byOutcome: boolean;
  /** Whether it can be in a segment of these times and numbers. */
  within(segment: {
    readonly firstSeq: number;
    readonly lastSeq: number;
    readonly firstMs: number;
    readonly lastMs: number;
  }): boolean;
  /** Of the record that is looked for, before its other half is known. */
  mayBe(record: AuditRecord): boolean;
  fits(found: Found): boolean;
}

const CALL = 'call.';

export function ask(question: Question, leaves: LeafReader): Asked {
  const { session, ident, backend, target, type, status, decision, args } = question;
  const { sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = question;
  const { fromSeq = 0, toSeq = Number.POSITIVE_INFINITY } = question;
  const wanted = args.map(({ path, value }) => ({ path, words: leaves.wordsFor(value) }));
  const byOutcome = status !== undefined && args.length === 0;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['ident', named(ident)],
    ['backend', named(backend)],
    ['target', named(target)],
    ['type', type],
    ['decision', decision],
  ];
  const clauses: Clause[] = [
    ...(session === undefined ? [] : [[word('session', session)]]),
    ...facts.flatMap(([member, value]) => (value === undefined ? [] : [[word(member, value)]])),
    ...(byOutcome ? [[word('status', status)]] : []),
    ...wanted.map(({ path, words }) => [...words].map((one) => argWord(path, one))),
  ];
  const hasArgs = (record: AuditRecord): boolean => {
    if (wanted.length === 0) return true;
    const its = leaves.leavesOf(record);
    return wanted.every(({ path, words }) => its.some((leaf) => leaf.path === path && words.has(leaf.word)));
  };
  const mayBe = (record: AuditRecord): boolean => {
    const isAnswer = record.type === 'call.outcome' && record.of !== undefined;
    if (isAnswer && type === undefined && !byOutcome) return false;
    if (session !== undefined && record.session !== session) return false;
    if (!facts.every(([member, value]) => value === undefined || record[member] === value)) return false;
    return hasArgs(record) && (!byOutcome || record.status === status);
  };
  return {
    clauses,
    byOutcome,
    within: ({ firstSeq, lastSeq, firstMs, lastMs }) =>
      firstSeq <= toSeq && lastSeq >= fromSeq && firstMs <= untilMs && lastMs >= sinceMs,
    mayBe,
    fits: ({ record, outcome }) => {
      const ms = timeOf(record);
      const seq = numberOf(record, 'seq') ?? 0;
      if (ms < sinceMs || ms > untilMs || seq < fromSeq || seq > toSeq) return false;
      return status === undefined || textOf(outcome ?? record, 'status') === status;
    },
  };
}

/** The words of a record that an index keeps. */
export function wordsOf(record: AuditRecord, leaves: LeafReader): string[] {
  const words: string[] = [];
  for (const member of ['session', 'ident', 'backend', 'target', 'type', 'status', 'decision', 'of'] as const) {
    const value = record[member];
    if (typeof value === 'string' || typeof value === 'number') words.push(word(member, value));
  }
  if (typeof record.type === 'string' && record.type.startsWith(CALL) && record.args !== undefined) {
    for (const leaf of leaves.leavesOf(record)) words.push(argWord(leaf.path, leaf.word));
  }
  return words;
}

export function word(member: string, value: string | number): string {
  return `${member}\0${value}`;
}

function argWord(path: string, leaf: string): string {
  return `arg\0${path}\0${leaf}`;
}

/** Names are cut in records. */
function named(name: string | undefined): string | undefined {
  return name === undefined ? undefined : cutText(name, AUDIT_LIMITS.nameChars);
}
