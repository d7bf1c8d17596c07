// From a failure to what the user reads on stderr and the exit code. Every error class of ours carries `code`, and may
// carry `hint`; what has no code is a fault of ours and is shown with its stack.

import { say } from './announce.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export const CLI_ERROR_CODES = ['usage'] as const;

const EXIT_BY_CODE: Readonly<Record<string, ExitCode>> = {
  usage: EXIT.usage,
  config_invalid: EXIT.usage,
  secret_missing: EXIT.usage,
  secret_open_to_others: EXIT.usage,
  secret_too_large: EXIT.usage,
  secret_command_failed: EXIT.usage,
  keyring_unavailable: EXIT.usage,
  vault_unwritable: EXIT.usage,
  lock_invalid: EXIT.usage,
  lock_open_to_others: EXIT.usage,
  lock_unwritable: EXIT.usage,
  vault_busy: EXIT.usage,
  vault_invalid: EXIT.usage,
  vault_key_wrong: EXIT.usage,
  secret_unusable: EXIT.usage,
  bad_token: EXIT.usage,
  share_exists: EXIT.usage,
  state_folder_unsafe: EXIT.usage,
  state_file_invalid: EXIT.usage,
  trust_invalid: EXIT.usage,
  identity_invalid: EXIT.usage,
  access_malformed: EXIT.usage,
  access_too_large: EXIT.usage,
  access_too_long: EXIT.usage,
  access_key_missing: EXIT.usage,
  access_key_invalid: EXIT.usage,
  not_enabled: EXIT.usage,
  already_enabled: EXIT.usage,
  zrok_files_invalid: EXIT.usage,
  grant_unknown: EXIT.usage,
  audit_key_invalid: EXIT.usage,
  audit_key_unknown: EXIT.usage,
  audit_folder_unsafe: EXIT.usage,
  audit_unreadable: EXIT.unreachable,
  share_unknown: EXIT.unreachable,
  share_not_hosted: EXIT.unreachable,
  dial_timeout: EXIT.unreachable,
  dial_aborted: EXIT.unreachable,
  overlay_unavailable: EXIT.unreachable,
  network_unreachable: EXIT.unreachable,
  controller_failed: EXIT.unreachable,
  connection_lost: EXIT.unreachable,
  connection_aborted: EXIT.unreachable,
  peer_incompatible: EXIT.unreachable,
  link_timeout: EXIT.unreachable,
  link_version: EXIT.unreachable,
  link_protocol: EXIT.unreachable,
  link_unavailable: EXIT.unreachable,
  link_refused: EXIT.refused,
  peer_unproven: EXIT.refused,
  peer_refused: EXIT.refused,
  peer_denied: EXIT.refused,
  host_unproven: EXIT.refused,
  host_changed: EXIT.refused,
  host_downgraded: EXIT.refused,
  host_unchecked: EXIT.refused,
  not_permitted: EXIT.refused,
  identity_refused: EXIT.refused,
  enroll_refused: EXIT.refused,
  account_refused: EXIT.refused,
  environment_refused: EXIT.refused,
};

/** Whatever is wrong with a proof of identity, or with a token. */
const PROOF = /^(?:proof|access|jwt)_/;

/** Wrong use of a command: said without a stack, exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'usage';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  const { code, exitCode } = (error ?? {}) as { code?: unknown; exitCode?: unknown };
  if (typeof exitCode === 'number') return exitCode as ExitCode;
  if (typeof code !== 'string') return EXIT.failed;
  return EXIT_BY_CODE[code] ?? (PROOF.test(code) ? EXIT.refused : EXIT.failed);
}

export function report(program: string, error: unknown): ExitCode {
  const { code, hint } = (error ?? {}) as { code?: unknown; hint?: unknown };
  const known = typeof code === 'string';
  const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  say(`${program}: ${text}${known ? ` (${code}${toldBy(error)})` : ''}`, typeof hint === 'string' ? hint : undefined);
  return exitCodeOf(error);
}

/** The other end's own code, where it says what is wrong with who we are: that is what the catalogue explains. */
function toldBy(error: unknown): string {
  const { code } = ((error as { facts?: unknown }).facts ?? {}) as { code?: unknown };
  return typeof code === 'string' && /^(?:proof|peer|access|jwt)_/.test(code) ? `: ${code}` : '';
}
