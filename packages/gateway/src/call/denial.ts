// Replies that say no. What a rule denies answers exactly like what does not exist.

import { RPC_ERRORS, type RpcErrorName } from '@mcp-overlay/relay';
import type { Reply, TargetKind } from './call.ts';

/** MCP's own code for a resource that is not there, up to revision 2025-11-25. */
const RESOURCE_NOT_FOUND = -32002;

export function deny(name: RpcErrorName, message: string, data?: Readonly<Record<string, unknown>>): Reply {
  return { error: { code: RPC_ERRORS[name], message, data: { error: name, ...data } } };
}

/** The same words whether it is hidden or was never there. */
export function unknownTarget(kind: TargetKind, name: string): Reply {
  if (kind === 'resource') {
    return { error: { code: RESOURCE_NOT_FOUND, message: `Resource not found: ${name}`, data: { uri: name } } };
  }
  if (kind === 'method') return { error: { code: RPC_ERRORS.method_not_found, message: `Method not found: ${name}` } };
  return { error: { code: RPC_ERRORS.invalid_params, message: `Unknown ${kind}: ${name}` } };
}
