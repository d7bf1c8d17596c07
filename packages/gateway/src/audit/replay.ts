// Other rules over what was called: which calls of the log would have been decided otherwise. Who called is known from the
// record of its session; with which roles, from the other configuration, or where that gives none (a token's, a group's,
// those given by hand) from the record. Arguments that the log does not hold readable leave some calls undecided: counted.

import type { Principal } from '@mcp-overlay/overlay';
import type { TargetKind } from '../call/call.ts';
import { asObject } from '../call/json.ts';
import type { Policy, PolicyRequest } from '../policy/policy.ts';
import type { LeafReader } from './query/leaves.ts';
import { type AuditRecord, numberOf, textOf, timeOf } from './query/record.ts';
import type { ReadRecord } from './query/records.ts';

export type Change = 'denied' | 'allowed' | 'undecided';

/** Calls that would have been decided otherwise, and alike. */
export interface ChangedCalls {
  readonly change: Change;
  readonly ident: string;
  readonly backend: string;
  readonly target: string;
  /** Of the rules then, and of the other ones. */
  readonly before: string;
  readonly rule: string;
  readonly why: string | undefined;
  count: number;
  /** Numbers of the first and the last of them in the log. */
  readonly first: number;
  last: number;
}

export interface Replayed {
  readonly calls: number;
  readonly same: number;
  readonly denied: number;
  readonly allowed: number;
  readonly undecided: number;
  /** Calls that no rule was asked about: unknown names, too many at once. */
  readonly unjudged: number;
  readonly changes: readonly ChangedCalls[];
  /** Kinds of changed calls beyond what is kept. */
  readonly left: number;
}

interface Session {
  readonly principal: Principal;
  readonly roles: readonly string[];
  readonly view: string | undefined;
}

/** Kinds of changes that are told apart. */
const MAX_KINDS = 10_000;

export async function replay(
  records: AsyncIterable<ReadRecord>,
  policy: Policy,
  leaves: LeafReader,
): Promise<Replayed> {
  const counts = { calls: 0, same: 0, denied: 0, allowed: 0, undecided: 0, unjudged: 0, left: 0 };
  const sessions = new Map<number, Session>();
  const kinds = new Map<string, ChangedCalls>();
  for await (const { record } of records) {
    // Numbers of sessions begin anew with each start of the gateway.
    if (record.type === 'log.open') sessions.clear();
    if (record.type === 'session.open') sessions.set(numberOf(record, 'session') ?? 0, sessionOf(record));
    if (record.type === 'session.close') sessions.delete(numberOf(record, 'session') ?? 0);
    if (!isCall(record)) continue;
    counts.calls += 1;
    const before = textOf(record, 'decision');
    if (before === undefined || record.backend === undefined) {
      counts.unjudged += 1;
      continue;
    }
    const decided = decideAnew(record, sessions.get(numberOf(record, 'session') ?? 0), policy, leaves);
    const wasAllowed = before === 'allow';
    if (decided.allow === wasAllowed) {
      counts.same += 1;
      continue;
    }
    const change: Change = decided.allow === undefined ? 'undecided' : decided.allow ? 'allowed' : 'denied';
    counts[change] += 1;
    if (!note(kinds, record, change, decided)) counts.left += 1;
  }
  return { ...counts, changes: [...kinds.values()] };
}

function isCall({ type, of, from }: AuditRecord): boolean {
  return from === undefined && (type === 'call.intent' || (type === 'call.outcome' && of === undefined));
}

interface Decided {
  /** undefined: it depends on arguments that nobody can read. */
  readonly allow: boolean | undefined;
  readonly rule: string;
  readonly why: string | undefined;
}

function decideAnew(record: AuditRecord, session: Session | undefined, policy: Policy, leaves: LeafReader): Decided {
  const { principal, roles, view } = session ?? sessionOf(record);
  if (view !== undefined && !policy.shares.some((share) => share.view === view)) {
    return { allow: false, rule: 'default', why: `there is no view ${view} with a share` };
  }
  const its = view === undefined ? policy : policy.through(view);
  const who = its.rolesOf(principal).length > 0 ? principal : { ...principal, roles };
  const method = textOf(record, 'method') ?? '';
  const kind = (textOf(record, 'kind') ?? 'method') as TargetKind;
  const request: PolicyRequest = {
    backend: textOf(record, 'backend') ?? '',
    kind,
    name: kind === 'task' ? method : (textOf(record, 'target') ?? ''),
    session: numberOf(record, 'session') ?? 0,
    atMs: timeOf(record),
  };
  const readable = argumentsOf(record, method, kind, leaves);
  const { allow, shadow, rule, why } = its.decide(who, readable === undefined ? request : { ...request, ...readable });
  const allowed = allow && shadow !== true;
  if (readable !== undefined || !allowed) return { allow: allowed, rule, why };
  const findings = its.explain(who, request);
  const sure = findings.some(({ effect, fits, conditional }) => effect === 'allow' && fits === true && !conditional);
  const open = findings.some(({ effect, conditional }) => effect === 'deny' && conditional);
  if (!policy.ruled || (sure && !open)) return { allow: true, rule, why };
  return { allow: undefined, rule, why: 'its arguments decide, and the log does not hold them readable' };
}

/** As they were judged; undefined: they cannot be read. */
function argumentsOf(
  record: AuditRecord,
  method: string,
  kind: TargetKind,
  leaves: LeafReader,
): Pick<PolicyRequest, 'args'> | undefined {
  if (method === 'completion/complete') return {};
  if ((kind !== 'tool' && kind !== 'prompt') || record.args === undefined) return { args: {} };
  const values = leaves.valuesOf(record);
  return values && { args: asObject(values.args) ?? {} };
}

/** From `session.open`, or what a call's own record says where that is not in the range. */
function sessionOf(record: AuditRecord): Session {
  const id = textOf(record, 'ident') ?? '';
  const proven = typeof record.proven === 'boolean' ? record.proven : id.includes(':');
  const via = (textOf(record, 'via') ?? (proven ? 'ziti' : 'local')) as Principal['via'];
  const role = textOf(record, 'role');
  const roles = Array.isArray(record.roles) ? record.roles.map(String) : role === undefined ? [] : [role];
  return {
    principal: { id, name: textOf(record, 'name') ?? id, proven, via, groups: [] },
    roles,
    view: textOf(record, 'view'),
  };
}

/** Whether there is room for another kind. */
function note(kinds: Map<string, ChangedCalls>, record: AuditRecord, change: Change, { rule, why }: Decided): boolean {
  const [ident = '', backend = '', target = '', before = ''] = ['ident', 'backend', 'target', 'rule'].map((member) =>
    textOf(record, member),
  );
  const seq = numberOf(record, 'seq') ?? 0;
  const key = JSON.stringify([change, ident, backend, target, before, rule, why]);
  const known = kinds.get(key);
  if (known) {
    known.count += 1;
    known.last = seq;
    return true;
  }
  if (kinds.size >= MAX_KINDS) return false;
  kinds.set(key, { change, ident, backend, target, before, rule, why, count: 1, first: seq, last: seq });
  return true;
}
