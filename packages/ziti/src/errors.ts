// The one error class of the OpenZiti client. `code` is listed in docs/ERRORS.md; the message names what refused (controller,
// router, service, identity file) and the remedy.

export const ZITI_ERROR_CODES = ['identity_invalid'] as const;

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
