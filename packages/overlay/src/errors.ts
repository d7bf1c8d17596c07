// The one error class of the overlay. `code` is listed in docs/ERRORS.md; the message names the share and the remedy.

export const OVERLAY_ERROR_CODES = [
  'bad_token',
  'share_unknown',
  'share_not_hosted',
  'share_in_use',
  'share_exists',
  'dial_timeout',
  'dial_aborted',
  'peer_incompatible',
  'connection_aborted',
  'connection_lost',
  'state_folder_unsafe',
  'state_file_invalid',
  'overlay_unavailable',
  'network_unreachable',
  'not_permitted',
  'identity_invalid',
  'identity_refused',
  'enroll_refused',
  'not_enabled',
  'already_enabled',
  'zrok_files_invalid',
  'account_refused',
  'environment_refused',
  'grant_unknown',
  'controller_failed',
] as const;

/** What can be wrong with who somebody is. */
export const IDENTITY_ERROR_CODES = [
  'trust_invalid',
  'proof_malformed',
  'proof_too_large',
  'proof_chain_too_long',
  'proof_key_refused',
  'proof_foreign',
  'proof_expired',
  'proof_not_yet_valid',
  'proof_revoked',
  'proof_revocation_unknown',
  'proof_not_client',
  'proof_not_identity',
  'proof_name_unvouched',
  'proof_signature',
  'proof_binding',
  'proof_replayed',
  'proof_unbound',
  'peer_unproven',
  'peer_refused',
  'peer_denied',
  'host_unproven',
  'host_changed',
  'host_downgraded',
  'host_unchecked',
] as const;

export type IdentityErrorCode = (typeof IDENTITY_ERROR_CODES)[number];
export type OverlayErrorCode = (typeof OVERLAY_ERROR_CODES)[number] | IdentityErrorCode;

export class OverlayError extends Error {
  override readonly name = 'OverlayError';
  readonly code: OverlayErrorCode;
  /** What the user can do about it, a sentence of its own. */
  readonly hint: string | undefined;

  constructor(code: OverlayErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}
