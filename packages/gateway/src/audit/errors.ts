// What can be wrong with the audit log itself. Findings of `audit verify` are no errors, see verify/finding.ts.

export const AUDIT_ERROR_CODES = [
  'audit_unwritable',
  'audit_busy',
  'audit_closed',
  'audit_in_use',
  'audit_broken',
  'audit_key_invalid',
  'audit_key_unknown',
  'audit_folder_unsafe',
  'audit_unreadable',
] as const;

export type AuditErrorCode = (typeof AUDIT_ERROR_CODES)[number];

export class AuditError extends Error {
  override readonly name = 'AuditError';
  readonly code: AuditErrorCode;
  readonly hint: string | undefined;

  constructor(code: AuditErrorCode, text: string, more: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(text, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.hint = more.hint;
  }
}

/** `ENOSPC` of an error of the system; '?' of any other. */
export function systemCode(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : '?';
}
