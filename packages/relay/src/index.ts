// The public names of @mcp-overlay/relay, one by one.

export { type AcceptedSession, Acceptor, type AcceptorOptions } from './acceptor.ts';
export { type DialShareOptions, dialShare } from './dial-share.ts';
export {
  asObject,
  CODES,
  canonical,
  claimsModern,
  type Era,
  endOfListen,
  envelopeOf,
  LATEST_MODERN_VERSION,
  META,
  MODERN_VERSIONS,
  metaOf,
  refuseEnvelope,
} from './eras/envelope.ts';
export { ACKNOWLEDGED, CACHEABLE, FILTERS, LEGACY_ONLY, LISTEN, UNCACHED } from './eras/methods.ts';
export { type EraKnown, type EraSetting, type EraWay, ServerEras, type ServerErasOptions } from './eras/server-eras.ts';
export { splitEras } from './eras/split.ts';
export {
  outcomeUnknown,
  RELAY_ERROR_CODES,
  RelayError,
  type RelayErrorCode,
  RPC_ERRORS,
  type RpcErrorName,
} from './errors.ts';
export { describeFault, faultReply } from './faults.ts';
export {
  ExactNumber,
  type JsonValue,
  parseExact,
  RawJson,
  stringifyExact,
  survivesDouble,
} from './json-exact.ts';
export { memberAt, payloadOf, resultMetaOf, type Span, withResultMeta } from './json-members.ts';
export {
  errorMessage,
  isFault,
  type JsonRpcValue,
  type LongLine,
  longLineFault,
  MAX_METHOD_BYTES,
  notificationMessage,
  parseMessage,
  rawId,
  readMessage,
  requestMessage,
  resultMessage,
  toMessage,
  withId,
} from './json-rpc.ts';
export { hasTwins } from './json-twins.ts';
export { LIMITS, type Limits } from './limits.ts';
export { type DialLinkOptions, type DialState, dialLink, type LinkDialer } from './link/dialer.ts';
export { type Protocol, type Recognised, recognise } from './link/first-bytes.ts';
export { LinkHost, type LinkHostOptions } from './link/host.ts';
export type { HostLink, LinkInfo } from './link/hosted-link.ts';
export type { HostCheck, Judgement, Peer } from './link/judgement.ts';
export type { Link, LinkPhase, LinkStats } from './link/link.ts';
export type { PeerProof, Refusal } from './link/preamble.ts';
export { FAULT_CODES, type Fault, type FaultCode, type Message } from './message.ts';
export {
  CLIENT_CAPABILITY,
  isRepeatable,
  LATEST_LEGACY_VERSION,
  LEGACY_VERSIONS,
  LIST_KINDS,
  LISTS,
  type ListKind,
  listKindOf,
} from './methods.ts';
export { ledgerIdentity } from './once/identity.ts';
export { callSession } from './once/key.ts';
export { Ledger, type LedgerOptions } from './once/ledger.ts';
export { ONCE_LIMITS } from './once/limits.ts';
export { type OnceOptions, OnceSession } from './once/once.ts';
export { temporaryLedger } from './once/place.ts';
export { type RelayHooks, relay } from './relay.ts';
export { type RestingOptions, restingServer } from './resting/resting.ts';
export { SharedServer, type SharedServerOptions } from './shared/server.ts';
export { type Lost, lostMemory } from './steady/lost-memory.ts';
export type { SourceEvents, SteadyOptions, SteadyState } from './steady/options.ts';
export { leaving } from './steady/refusals.ts';
export { SteadySession } from './steady/steady.ts';
export { type CloseReason, DONE, type Transport, type TransportHandlers } from './transport.ts';
export { type Backoff, type BackoffOptions, type BackoffState, createBackoff } from './transports/child/backoff.ts';
export {
  type Breaker,
  type BreakerOptions,
  type BreakerState,
  createBreaker,
  underBreaker,
} from './transports/child/breaker.ts';
export { type ChildExit, type ChildOptions, type ChildTransport, spawnChild } from './transports/child/child.ts';
export { lastLines } from './transports/child/diagnostics.ts';
export { safeEnvironment } from './transports/child/environment.ts';
export { Sandbox, type SandboxOptions } from './transports/child/sandbox/sandbox.ts';
export type { SandboxRules, SandboxWish } from './transports/child/sandbox/wish.ts';
export { type ChildCount, Starter, type StarterOptions } from './transports/child/starter.ts';
export { type ChildLog, Watcher } from './transports/child/watcher.ts';
export { type LineHandlers, LineReader } from './transports/line-reader.ts';
export { type StreamOptions, streamTransport } from './transports/stream.ts';
export { within } from './wait.ts';
