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

/** Until there is an overlay that asks who one is. */
export function tellUnused(program: string, flags: CommonFlags): void {
  for (const name of ['identity', 'access'] as const) {
    // An OpenZiti network knows who one is.
    if (flags[name] !== undefined && !(name === 'identity' && flags.overlay === 'ziti'))
      say(`${program}: --${name} is not used: the local overlay knows its user by the state folder`);
  }
}
