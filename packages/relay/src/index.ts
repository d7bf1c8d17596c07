// The public names of @mcp-overlay/relay, one by one.
export { RELAY_ERROR_CODES, RelayError, type RelayErrorCode, RPC_ERRORS, type RpcErrorName } from './errors.ts';
export { LIMITS, type Limits } from './limits.ts';
export { FAULT_CODES, type Fault, type FaultCode, type Message } from './message.ts';
export { type CloseReason, DONE, type Transport, type TransportHandlers } from './transport.ts';
