// What one session's client may see and do: the filters of backends, which are the same for everybody, and the rules for who
// it is. Lists and calls ask here and nowhere else, so that what is shown and what runs cannot differ.

import type { Principal } from '@mcp-overlay/overlay';
import type { Decision, TargetKind } from '../call/call.ts';
import type { JsonObject } from '../call/json.ts';
import type { ToolFilter } from './filter.ts';
import type { Policy } from './policy.ts';

export interface Access {
  /** Whether anything depends on who asks: then lists are nobody else's. */
  readonly personal: boolean;
  /** Whether it stands in lists. */
  shows(backend: string, kind: TargetKind, name: string): boolean;
  /** Of a call with its arguments. */
  decide(backend: string, kind: TargetKind, name: string, args: JsonObject | undefined): Decision;
  /** Whether anything of the backend, or of one kind there, could be allowed: else it does not exist for this client. */
  reaches(backend: string, kind?: TargetKind): boolean;
  /** Whether the backend may ask the client. */
  mayAsk(backend: string, method: string): boolean;
}

export function accessOf(
  policy: Policy,
  filters: Pick<ReadonlyMap<string, ToolFilter>, 'get'>,
  principal: Principal,
  session: number,
): Access {
  const filtered = (backend: string, kind: TargetKind, name: string): Decision | undefined => {
    if (kind !== 'tool') return undefined;
    const rule = filters.get(backend)?.(name);
    return rule === undefined ? HIDDEN : { allow: true, rule };
  };
  const decide: Access['decide'] = (backend, kind, name, args) => {
    const by = filtered(backend, kind, name);
    if (by && !by.allow) return by;
    const request = { backend, kind, name, session, ...(args && { args }) };
    const decision = policy.decide(principal, request);
    return !policy.ruled && decision.allow && by ? by : decision;
  };
  return {
    personal: policy.ruled || principal.restrictions !== undefined || principal.roles !== undefined,
    decide,
    shows: (backend, kind, name) => decide(backend, kind, name, undefined).allow,
    reaches: (backend, kind) => policy.reaches(principal, backend, kind),
    mayAsk: (backend, method) => policy.mayAsk(principal, backend, method),
  };
}

const HIDDEN: Decision = { allow: false, rule: 'tools', why: "the backend's own tools filter hides it" };
