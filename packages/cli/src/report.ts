// From a failure to what the user reads on stderr and the exit code. Every error class of ours carries `code`, and may
// carry `hint`; what has no code is a fault of ours and is shown with its stack.

import { say } from './announce.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export const CLI_ERROR_CODES = ['usage'] as const;

const EXIT_BY_CODE: Readonly<Record<string, ExitCode>> = {
  usage: EXIT.usage,
  config_invalid: EXIT.usage,
  bad_token: EXIT.usage,
  share_exists: EXIT.usage,
  state_folder_unsafe: EXIT.usage,
  identity_invalid: EXIT.usage,
  not_enabled: EXIT.usage,
  already_enabled: EXIT.usage,
  zrok_files_invalid: EXIT.usage,
  grant_unknown: EXIT.usage,
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
  not_permitted: EXIT.refused,
  identity_refused: EXIT.refused,
  enroll_refused: EXIT.refused,
  account_refused: EXIT.refused,
  environment_refused: EXIT.refused,
};

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
  return (typeof code === 'string' ? EXIT_BY_CODE[code] : undefined) ?? EXIT.failed;
}

export function report(program: string, error: unknown): ExitCode {
  const { code, hint } = (error ?? {}) as { code?: unknown; hint?: unknown };
  const known = typeof code === 'string';
  const text = error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  say(`${program}: ${text}${known ? ` (${code})` : ''}`, typeof hint === 'string' ? hint : undefined);
  return exitCodeOf(error);
}
