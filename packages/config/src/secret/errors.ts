// Why a secret could not be had. Nothing of a secret, and nothing a command or a file says, stands in an error.

export const SECRET_ERROR_CODES = [
  'secret_missing',
  'secret_open_to_others',
  'secret_too_large',
  'secret_command_failed',
  'secret_unusable',
  'vault_key_wrong',
  'vault_invalid',
  'vault_busy',
  'vault_unwritable',
  'keyring_unavailable',
] as const;

export type SecretErrorCode = (typeof SECRET_ERROR_CODES)[number];

export class SecretError extends Error {
  override readonly name = 'SecretError';
  readonly code: SecretErrorCode;
  readonly hint: string | undefined;

  constructor(code: SecretErrorCode, text: string, hint?: string) {
    super(text);
    this.code = code;
    this.hint = hint;
  }
}
