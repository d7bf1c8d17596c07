// What of a call goes on record: which requests are calls, under which names, with which arguments. Values are handed on as
// they are; redacting them is the log's own work (./audit-log.ts).

import { LIST_KINDS } from '@mcp-overlay/relay';
import type { Call, TargetKind, Trail } from '../call/call.ts';
import { asObject, asString, type JsonObject } from '../call/json.ts';
import type { AuditActor, AuditLog, CallFacts } from './audit-log.ts';

/** How one client's calls go on record. */
export interface CallAudit {
  readonly log: AuditLog;
  readonly actor: AuditActor;
  /** Answers carry the number of their record. */
  readonly receipts: boolean;
  /** Tells the operator of a fault of ours. */
  warn(fields: object, event: string): void;
}

/** Looking is no call: lists show names that rules let through, and a ping does nothing. */
const UNRECORDED: ReadonlySet<string> = new Set([...LIST_KINDS.map(({ method }) => method), 'tasks/list', 'ping']);

export function isRecorded(method: string): boolean {
  return !UNRECORDED.has(method);
}

/** The caller's words: what stands for itself (a name, a URI) is the target, and `_meta` belongs to the way. */
export function argsOf(method: string, params: JsonObject): unknown {
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return params.arguments;
    case 'completion/complete':
      return params.argument;
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return undefined;
    default: {
      const { _meta, taskId: _task, ...rest } = params;
      return Object.keys(rest).length === 0 ? undefined : rest;
    }
  }
}

/** Of a call on its way, as far as it came. */
export function factsOf({ method, params, trail }: Pick<Call, 'method' | 'params' | 'trail'>): CallFacts {
  const { backend } = trail;
  const { kind, name: target } = trail.target ?? asked(method, params);
  const { decision } = trail;
  return {
    method,
    from: undefined,
    backend,
    kind,
    target,
    decision: decision && (decision.shadow === true ? 'shadow' : decision.allow ? 'allow' : 'deny'),
    rule: decision?.rule,
    role: decision?.role,
    policy: decision?.policy,
  };
}

/** Resolves whether it may go on: it is on record, as durable as configured, and the receipt is on the trail; or the log
 *  cannot be written and lets things pass. */
export async function recordIntent(
  { log, actor }: CallAudit,
  facts: CallFacts,
  args: unknown,
  trail: Trail,
): Promise<boolean> {
  try {
    const receipt = await log.append({
      ...facts,
      type: 'call.intent',
      session: actor.session,
      ident: actor.ident,
      args,
    });
    if (receipt) trail.intent = receipt;
    return true;
  } catch {
    return false;
  }
}

/** As the caller named it: nothing was found, or nobody looked. */
function asked(method: string, params: JsonObject): { kind?: TargetKind; name?: string } {
  const [room] = method.split('/');
  const named = (kind: TargetKind, value: unknown) => {
    const name = asString(value);
    return name === undefined ? { kind } : { kind, name };
  };
  switch (room) {
    case 'tools':
      return named('tool', params.name);
    case 'prompts':
      return named('prompt', params.name);
    case 'resources':
      return named('resource', params.uri);
    case 'completion': {
      const ref = asObject(params.ref);
      return ref?.type === 'ref/prompt' ? named('prompt', ref.name) : named('resource', ref?.uri);
    }
    case 'tasks':
      return named('task', params.taskId);
    default:
      return named('method', method);
  }
}
