// One request of a client on its way down the pipeline, and the reply on its way up. Each stage narrows the call:
// Call -> RoutedCall (whose it is, under which native name) -> PermittedCall (a rule lets it). Nothing skips a step.

import type { Message } from '@mcp-overlay/relay';
import type { BackendSession } from '../backend/backend-session.ts';
import type { Cancel } from './cancel.ts';
import type { JsonObject } from './json.ts';
import type { Permit } from './permit.ts';

export interface Call {
  readonly method: string;
  readonly params: JsonObject;
  /** As the client sent it; `message.id` is the client's. */
  readonly message: Message;
  readonly cancel: Cancel;
  /** What became known of the call on its way: stages write, messages and records read. */
  readonly trail: Trail;
}

export interface Trail {
  backend: string | undefined;
  /** Of the backend, where it has one of its own. */
  callTimeoutMs: number | undefined;
  /** Of the backend: whether there is a way to it now. */
  reachable: (() => boolean) | undefined;
  /** Set by the deadline: called on each progress notification, which proves that the call lives. */
  onProgress: (() => void) | undefined;
  /** What is asked for, under the backend's own name. */
  target: { readonly kind: TargetKind; readonly name: string } | undefined;
  /** What the rules said, also where they refused. */
  decision: Decision | undefined;
  /** Which limit refused it: the key of the configuration. */
  limit: string | undefined;
  /** Where the call's intent stands in the audit, once it is there. */
  intent: AuditReceipt | undefined;
  /** What scrubbing found, in what the client sent and in the answer. */
  scrub: readonly ScrubHit[] | undefined;
}

/** All members at once: an object that grows member by member on its way costs each stage a microsecond. */
export function newTrail(): Trail {
  return {
    backend: undefined,
    callTimeoutMs: undefined,
    reachable: undefined,
    onProgress: undefined,
    target: undefined,
    decision: undefined,
    limit: undefined,
    intent: undefined,
    scrub: undefined,
  };
}

/** What scrubbing found of one rule on one surface: where and how often, never what. */
export interface ScrubHit {
  readonly rule: string;
  readonly severity: 'low' | 'medium' | 'high' | 'critical';
  readonly surface: string;
  /** What was done about it. */
  readonly mode: 'flag' | 'redact' | 'block' | 'wrap' | 'off';
  readonly count: number;
  /** Start and end of the first ones, each in its text. */
  readonly at: readonly (readonly [number, number])[];
  /** How the part that held it was encoded. */
  readonly via?: string;
}

/** What rules say of a request. `rule`: which one decided, for the record; the caller never sees it. Where nothing allowed it
 *  that is `default`, and where the caller's token does not reach so far `token`. */
export interface Decision {
  readonly allow: boolean;
  readonly rule: string;
  /** The caller's role that the rule belongs to. */
  readonly role?: string;
  /** Digest of the rules in force. */
  readonly policy?: string;
  /** It would have been refused, had rules been enforced. */
  readonly shadow?: true;
  /** For the operator, in words: which argument, what was expected. Never an argument's value. */
  readonly why?: string;
  /** The argument that did not fit, and the way to its member. */
  readonly argument?: readonly string[];
}

/** Where a record stands: enough to ask about it, and to notice if it is missing later. */
export interface AuditReceipt {
  /** Id of the log. */
  readonly log: string;
  readonly seq: number;
  /** Of the record's line, as `sha256:<hex>`. */
  readonly hash: string;
}

export type TargetKind = 'tool' | 'prompt' | 'resource' | 'task' | 'method';

export interface RoutedCall extends Call {
  readonly backend: BackendSession;
  /** What is judged: the backend's own name, never the public one. */
  readonly target: { readonly kind: TargetKind; readonly name: string };
  /** Params with the backend's own names and URIs. */
  readonly native: JsonObject;
}

export interface PermittedCall extends RoutedCall {
  readonly permit: Permit;
}

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export type Reply =
  | { readonly result: JsonObject }
  /** `theirs`: the backend's own, which passes unchanged. */
  | { readonly error: RpcError; readonly theirs?: true }
  /** A backend's answer that needs no change but its id. */
  | { readonly answer: Message };
