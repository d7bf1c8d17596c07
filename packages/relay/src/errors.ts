// JSON-RPC errors of our own making, and the one error class of the package. Every name is listed in docs/ERRORS.md.
// On the wire: {"code": <number>, "message": <who failed and what to do>, "data": {"error": <name>, ...facts}}.

export const RPC_ERRORS = {
  /** The line is not JSON, or not UTF-8. */
  parse_error: -32700,
  /** JSON, but not a message we carry: depth, tokens, batch, no JSON-RPC. */
  invalid_request: -32600,
  method_not_found: -32601,
  invalid_params: -32602,
  internal_error: -32603,
  /** The headers of a modern HTTP request are not those of its body (2026-07-28). */
  header_mismatch: -32020,
  /** A revision that is not spoken here; `data.supported`, `data.requested` (2026-07-28). */
  unsupported_version: -32022,
  // Ours: outside of what JSON-RPC and MCP keep for themselves (-32768 to -32000; 2026-07-28, basic "Error Codes").
  /** Too many calls in flight or sessions open; `data.retryAfterMs`. */
  busy: -31000,
  /** The caller, the tool or the backend is over what the configuration lets be used; `data.limit`, `data.retryAfterMs`. */
  limited: -31001,
  /** The same call with the same arguments again and again; `data.count`, `data.retryAfterMs`. */
  looping: -31002,
  /** The owner of this name is not running; `data.backend`, `data.since`. */
  backend_unavailable: -31050,
  /** The call began and its end will never be known; `data.backend`. It is not run again. */
  outcome_unknown: -31051,
  /** No answer and no progress in time; the backend was told to cancel. */
  call_timeout: -31052,
  message_too_large: -31053,
  /** No way to the share; `data.since`, `data.share`. */
  share_unreachable: -31054,
  /** The host does not let this caller in; `data.code` says why. */
  refused: -31055,
  /** The host is leaving and did not run this request; its successor will. Between our programs: agents do not see it. */
  ending: -31056,
  /** The audit log cannot be written, and nothing passes unrecorded; `data.ran` says whether the call ran. */
  audit_unavailable: -31060,
  /** The gateway's operator blocks what was found in this answer; `data.rules`. */
  withheld: -31061,
  /** The ledger of calls cannot be written, and nothing with a key runs unrecorded: this call did not run. */
  ledger_unavailable: -31070,
} as const;

/** The text of `outcome_unknown`: always the same words around what happened, so that a person and a model know them. */
export function outcomeUnknown(what: string): string {
  return `outcome unknown: ${what}; it may or may not have run, and is not run again`;
}

export type RpcErrorName = keyof typeof RPC_ERRORS;

export const RELAY_ERROR_CODES = [
  'link_refused',
  'link_unavailable',
  'link_version',
  'link_protocol',
  'link_timeout',
  'link_expired',
  'unknown_protocol',
  'peer_speaks_http',
  'queue_full',
  'child_start_failed',
  'child_exited',
  'child_flooded',
  'http_failed',
  'http_unauthorized',
  'session_lost',
  'ledger_unwritable',
  'ledger_folder_unsafe',
  'connection_lost',
] as const;

export type RelayErrorCode = (typeof RELAY_ERROR_CODES)[number];

export class RelayError extends Error {
  override readonly name = 'RelayError';
  readonly code: RelayErrorCode;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(
    code: RelayErrorCode,
    message: string,
    options: { facts?: Record<string, unknown>; hint?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
    this.hint = options.hint;
  }
}
