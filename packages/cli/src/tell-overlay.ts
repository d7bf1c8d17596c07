// Which network a command takes, and why, on stderr when the user named none; and that no flag is taken in silence.

import { say } from './announce.ts';
import type { CommonFlags } from './flags.ts';

export function tellOverlay(
  program: string,
  flags: CommonFlags,
  { kind, because }: { readonly kind: string; readonly because: string },
): void {
  const quiet = flags.logLevel !== 'info' && flags.logLevel !== 'debug';
  if (flags.overlay === undefined && !quiet) say(`${program}: overlay ${kind}: ${because}`);
}

/** Of a command that dials no share. */
export function tellUnused(program: string, flags: CommonFlags): void {
  if (flags.access !== undefined) say(`${program}: --access is not used: this command dials no share`);
}
