// The judge: three ledgers that know nothing of each other (what clients sent and were told, what the gateway recorded, what
// servers ran) and the troubles that were made, held against the invariants. Pure; an empty list is a verdict of innocence.

import type { Outcome, SentCall } from './client-ledger.ts';
import { grouped } from './grouped.ts';

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10';

export interface Finding {
  readonly inv: Invariant;
  readonly text: string;
}

/** A line of a server's own ledger. */
export interface Ran {
  readonly server: string;
  readonly nonce: string | null;
  readonly sha256: string;
  readonly at: number;
}

/** What of an audit record is looked at. */
export interface AuditRecord {
  readonly type: string;
  readonly seq: number;
  readonly ts: string;
  readonly log: string;
  readonly of?: number;
  readonly status?: string;
  readonly args?: { readonly clear?: { readonly nonce?: unknown } };
}

/** Something was done to somebody. Without `until` it goes on. */
export interface Trouble {
  readonly what: string;
  /** `gateway`, `bridge`, the name of a server, or `tools:<client>`. */
  readonly of: string;
  /** What it lost is lost for good: it was killed, or gave up its children. */
  readonly death: boolean;
  readonly at: number;
  until?: number;
}

export interface Evidence {
  readonly calls: Iterable<SentCall>;
  readonly strange: readonly Finding[];
  readonly ran: readonly Ran[];
  readonly records: readonly AuditRecord[];
  readonly troubles: readonly Trouble[];
  /** Server name → who owns its process. */
  readonly owners: Readonly<Record<string, 'gateway' | 'bridge'>>;
  /** Servers whose calls may run again. */
  readonly safe: readonly string[];
}

/** After a trouble is over: back-off of dialers and of restarted servers. */
const RECOVERY_MS = 10_000;
/** From the death of a child until its owner knows, on a loaded machine. */
const NOTICED_MS = 1000;

export function judge(evidence: Evidence): Finding[] {
  const { calls, strange, ran, records } = evidence;
  const found: Finding[] = [...strange];
  const say = (inv: Invariant, text: string): void => void found.push({ inv, text });
  const runs = grouped(ran, ({ nonce }) => nonce);
  const intents = grouped(
    records.filter(({ type }) => type === 'call.intent'),
    ({ args }) => args?.clear?.nonce,
  );
  const outcomes = new Map(
    records.flatMap((one) => (one.type === 'call.outcome' ? [[`${one.log} ${one.of}`, one] as const] : [])),
  );

  for (const [nonce, lines] of runs) {
    if (typeof nonce !== 'string') continue;
    const once = lines.filter(({ server }) => !evidence.safe.includes(server));
    if (once.length > 1) say('I4', `${nonce} ran ${lines.length} times`);
    for (const { at } of lines) {
      const before = intents.get(nonce)?.some(({ ts }) => Date.parse(ts) <= at);
      if (before !== true) say('I2', `${nonce} ran without an intent on record before it`);
    }
  }

  for (const call of calls) {
    const { nonce, outcome } = call;
    const lines = runs.get(nonce) ?? [];
    const recorded = (intents.get(nonce) ?? []).map(({ log, seq }) => outcomes.get(`${log} ${seq}`)?.status);
    if (outcome === undefined) {
      say('I1', `${nonce} (${call.server}) has no outcome: ${call.told}`);
      continue;
    }
    if (outcome === 'ok') {
      const { answered } = call;
      if (answered?.nonce !== nonce || answered.sha256 !== call.sha256) say('I3', `${nonce} got another's answer`);
      const same = lines.filter(({ sha256, server }) => sha256 === call.sha256 && server === call.server);
      if (same.length === 0) say('I3', `${nonce} is answered and did not run as sent`);
      if (!recorded.includes('ok')) say('I6', `${nonce} is answered, its outcome is not on record: ${recorded}`);
    } else if (recorded.includes('ok') && (outcome === 'refused' || outcome === 'denied')) {
      say('I6', `${nonce} is on record as ok and was told ${outcome}`);
    }
    if ((outcome === 'refused' || outcome === 'denied') && lines.length > 0) {
      say(outcome === 'denied' ? 'I7' : 'I3', `${nonce} ran, and its caller was told that it did not: ${call.told}`);
    }
    if (outcome === 'withheld' && lines.length === 0) say('I3', `${nonce} was told that it ran, and it did not`);
    if (call.tool === 'forbidden') {
      if (lines.length > 0) say('I7', `${nonce} is forbidden and ran`);
      if (outcome === 'ok' || outcome === 'error') say('I7', `${nonce} is forbidden and was told ${outcome}`);
    } else if (outcome === 'denied') say('I7', `${nonce} is allowed and was denied: ${call.told}`);
    if (!ascending(call.steps)) say('I3', `${nonce} heard progress ${call.steps}`);
    if (!excused(call, outcome, evidence))
      say('I1', `${nonce} (${call.server}) was told ${outcome} with no reason: ${call.told}`);
  }
  return found;
}

/** Is there a trouble that makes this outcome true? */
function excused(call: SentCall, outcome: Outcome, evidence: Evidence): boolean {
  if (outcome === 'ok' || outcome === 'denied') return true;
  const { troubles, owners } = evidence;
  return troubles.some((trouble) => {
    if (outcome === 'lost') return trouble.of === `tools:${call.client}` && overlaps(call, trouble, 0);
    if (outcome === 'withheld') return trouble.of === 'gateway' && !trouble.death && overlaps(call, trouble, 0);
    if (outcome === 'refused' || outcome === 'timeout') {
      return onTheWay(call, trouble, owners) && overlaps(call, trouble, RECOVERY_MS);
    }
    if (outcome !== 'unknown' || !trouble.death) return false;
    // Only the death of the process that had the child, or of the child; and only if it was asked before.
    // Who owns a child that dies learns of it a moment later, and cannot know what it still read.
    if (trouble.of === call.server) return overlaps(call, trouble, NOTICED_MS);
    return trouble.of === owners[call.server] && call.sentAt <= trouble.at && ended(call) >= trouble.at;
  });
}

function onTheWay({ server }: SentCall, { of }: Trouble, owners: Evidence['owners']): boolean {
  return of === 'gateway' || of === server || of === owners[server];
}

function overlaps(call: SentCall, { at, until = Number.POSITIVE_INFINITY }: Trouble, slackMs: number): boolean {
  return call.sentAt <= until + slackMs && ended(call) >= at;
}

function ended({ endedAt = Number.POSITIVE_INFINITY }: SentCall): number {
  return endedAt;
}

function ascending(steps: readonly number[]): boolean {
  return steps.every((step, at) => at === 0 || step > (steps[at - 1] ?? 0));
}
