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

/** What can be wrong with an access token, ours or an issuer's. */
export const ACCESS_ERROR_CODES = [
  'access_malformed',
  'access_too_large',
  'access_too_long',
  'access_restriction_unknown',
  'access_order',
  'access_foreign',
  'access_signature',
  'access_cut',
  'access_elsewhere',
  'access_not_yet_valid',
  'access_expired',
  'access_revoked',
  'access_roles_unknown',
  'access_proof_missing',
  'access_proof_wrong',
  'access_proof_binding',
  'access_proof_replayed',
  'access_not_taken',
  'access_ignored',
  'access_host_unproven',
  'access_key_missing',
  'access_key_invalid',
  'jwt_malformed',
  'jwt_algorithm',
  'jwt_issuer',
  'jwt_audience',
  'jwt_key_unknown',
  'jwt_keys_unavailable',
  'jwt_signature',
  'jwt_expired',
  'jwt_not_yet_valid',
  'jwt_claims',
] as const;

export type AccessErrorCode = (typeof ACCESS_ERROR_CODES)[number];
export type IdentityErrorCode = (typeof IDENTITY_ERROR_CODES)[number];
export type OverlayErrorCode = (typeof OVERLAY_ERROR_CODES)[number] | IdentityErrorCode | AccessErrorCode;

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
