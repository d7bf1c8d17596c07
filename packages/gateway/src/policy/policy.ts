// What the rest of the gateway knows of rules: who has which roles, and whether a request passes. Pure and synchronous once
// loaded; an error inside denies.

import type { Principal } from '@mcp-overlay/overlay';
import type { Decision, TargetKind } from '../call/call.ts';
import type { JsonObject } from '../call/json.ts';

export interface PolicyRequest {
  readonly backend: string;
  readonly kind: TargetKind;
  /** The backend's own name or URI; of a method its name. */
  readonly name: string;
  /** Of a tool or prompt. Absent: is anything at all allowed with some arguments? That is what lists ask. */
  readonly args?: JsonObject;
}

export interface Policy {
  /** `sha256:<hex>` over what the rules mean. */
  readonly digest: string;
  /** Roles of this principal: of its token, of the configuration, and those given by hand (`peers allow --role`). */
  rolesOf(principal: Principal): readonly string[];
  /** What is absent from lists is what no arguments could make allowed. */
  decide(principal: Principal, request: PolicyRequest): Decision;
}
