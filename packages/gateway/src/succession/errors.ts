// Why a gateway does not take a share over.

export const SUCCESSION_ERROR_CODES = ['successor_unready', 'successor_waits'] as const;

export class SuccessionError extends Error {
  override readonly name = 'SuccessionError';
  readonly code: (typeof SUCCESSION_ERROR_CODES)[number];
  readonly hint: string | undefined;

  constructor(code: (typeof SUCCESSION_ERROR_CODES)[number], message: string, hint?: string) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}
