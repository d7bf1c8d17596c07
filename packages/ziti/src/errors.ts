// The one error class of the OpenZiti client. `code` is listed in docs/ERRORS.md; the message names what refused (controller,
// router, service, identity file) and the remedy.

export const ZITI_ERROR_CODES = [
  // identity files and enrollment
  'identity_invalid',
  'identity_unreadable',
  'identity_unsupported',
  'identity_exists',
  'identity_unwritable',
  'enroll_token_invalid',
  'enroll_token_expired',
  'enroll_token_refused',
  'enroll_method_unsupported',
  'enroll_untrusted',
  'enroll_refused',
  // the controller's REST interface
  'controller_unreachable',
  'controller_untrusted',
  'controller_timeout',
  'controller_busy',
  'controller_failed',
  'controller_refused',
  'controller_answer_invalid',
  'controller_answer_too_large',
  'controller_closed',
  'login_refused',
  'login_incomplete',
  'login_untrusted',
  'login_lost',
  'service_not_found',
  'service_not_permitted',
  'posture_failed',
  'no_edge_routers',
  'session_lost',
  // the way to an edge router, and proxies on it
  'router_url_unsupported',
  'router_unreachable',
  'router_untrusted',
  'router_timeout',
  'router_busy',
  'router_refused',
  'router_not_permitted',
  'hello_invalid',
  'proxy_invalid',
  'proxy_unreachable',
  'proxy_refused',
  'proxy_auth_required',
  // frames
  'frame_bad_magic',
  'frame_version_unknown',
  'frame_too_large',
  'frame_headers_too_large',
  'frame_body_too_large',
  'frame_too_many_headers',
  'frame_header_duplicate',
  'frame_headers_malformed',
  'ws_message_too_large',
  // channels
  'channel_closed',
  'channel_lost',
  'channel_silent',
  'channel_overflow',
  'request_timeout',
  'too_many_requests',
  // the encrypted stream of a connection
  'crypto_unavailable',
  'crypto_key_invalid',
  'crypto_header_invalid',
  'crypto_message_invalid',
  'crypto_stream_closed',
  'crypto_stream_exhausted',
  // dials, binds and connections
  'dial_refused',
  'dial_timeout',
  'service_not_hosted',
  'host_refused',
  'host_silent',
  'session_refused',
  'encryption_mismatch',
  'bind_refused',
  'bind_timeout',
  'instance_taken',
  'listener_closed',
  'connection_lost',
  'connection_closed',
  'connection_violation',
  'reader_too_slow',
  'too_many_connections',
  'app_data_too_large',
  'context_closed',
  // everywhere
  'aborted',
] as const;

export type ZitiErrorCode = (typeof ZITI_ERROR_CODES)[number];

export class ZitiError extends Error {
  override readonly name = 'ZitiError';
  readonly code: ZitiErrorCode;
  /** What the user can do about it, a sentence of its own. */
  readonly hint: string | undefined;

  constructor(code: ZitiErrorCode, message: string, options: { hint?: string | undefined; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}
