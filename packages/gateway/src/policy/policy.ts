// What the rest of the gateway knows of rules: who has which roles, and whether a request passes. Pure and synchronous once
// loaded; an error inside denies.

import type { Principal } from '@mcp-overlay/overlay';
import type { Decision, TargetKind } from '../call/call.ts';
import type { JsonObject } from '../call/json.ts';

export interface PolicyRequest {
  readonly backend: string;
  readonly kind: TargetKind;
  /** The backend's own name or URI; of a method and of what concerns a task the method. */
  readonly name: string;
  /** Of a call, `{}` where it has none. Absent: is anything at all allowed with some arguments? That is what lists ask. */
  readonly args?: JsonObject;
  /** The session's number, for conditions. */
  readonly session?: number;
  /** When it came, where that is not now. */
  readonly atMs?: number;
}

/** What one rule says of a request. */
export interface RuleFinding {
  readonly rule: string;
  readonly effect: 'allow' | 'deny';
  /** Whether it is more than recorded. */
  readonly enforced: boolean;
  readonly fits: boolean | 'error';
  /** Arguments or time decide; without any known, `fits` says whether some could make it fit. */
  readonly conditional: boolean;
  /** Why it does not fit, or why nobody can tell. */
  readonly why: string | undefined;
}

export interface Policy {
  /** `sha256:<hex>` over what the rules mean. */
  readonly digest: string;
  /** Whether there are rules. Without them everything passes but what a token itself restricts. */
  readonly ruled: boolean;
  /** false: what would be refused goes on, and its decision says so. */
  readonly enforced: boolean;
  /** Views with a share of their own. */
  readonly shares: readonly { readonly view: string; readonly token: string }[];
  /** Roles of this principal: of its token, of the configuration, and those given by hand (`peers allow --role`). */
  rolesOf(principal: Principal): readonly string[];
  /** What is absent from lists is what no arguments could make allowed. */
  decide(principal: Principal, request: PolicyRequest): Decision;
  /** The caller's rules that cover a request, one by one, in the order of the file. */
  explain(principal: Principal, request: PolicyRequest): readonly RuleFinding[];
  /** Whether anything of this backend, or of one kind there, could ever be allowed. */
  reaches(principal: Principal, backend: string, kind?: TargetKind): boolean;
  /** Whether the backend may ask this principal's client: unless a rule denies it. */
  mayAsk(principal: Principal, backend: string, method: string): boolean;
  /** The same rules for whoever comes over the share of this view. */
  through(view: string): Policy;
}
