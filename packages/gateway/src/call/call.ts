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
  backend?: string;
  /** Of the backend, where it has one of its own. */
  callTimeoutMs?: number;
  /** Set by the deadline: called on each progress notification, which proves that the call lives. */
  onProgress?: () => void;
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
  | { readonly error: RpcError }
  /** A backend's answer that needs no change but its id. */
  | { readonly answer: Message };
