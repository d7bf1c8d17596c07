// The public names of @mcp-overlay/relay, one by one.
export { RELAY_ERROR_CODES, RelayError, type RelayErrorCode, RPC_ERRORS, type RpcErrorName } from './errors.ts';
export { LIMITS, type Limits } from './limits.ts';
export { FAULT_CODES, type Fault, type FaultCode, type Message } from './message.ts';
export { type CloseReason, DONE, type Transport, type TransportHandlers } from './transport.ts';
export { type Backoff, type BackoffOptions, type BackoffState, createBackoff } from './transports/child/backoff.ts';
export { type ChildExit, type ChildOptions, type ChildTransport, spawnChild } from './transports/child/child.ts';
export { safeEnvironment } from './transports/child/environment.ts';
export { type ChildLog, Watcher } from './transports/child/watcher.ts';
