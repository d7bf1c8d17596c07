// What is wrong with a lock file.

export const PIN_ERROR_CODES = ['lock_invalid', 'lock_open_to_others', 'lock_unwritable'] as const;

export class PinError extends Error {
  override readonly name = 'PinError';
  readonly code: (typeof PIN_ERROR_CODES)[number];
  readonly hint: string | undefined;

  constructor(code: (typeof PIN_ERROR_CODES)[number], message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}
