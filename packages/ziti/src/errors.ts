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
