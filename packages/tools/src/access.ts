// `--access` and `--access-key` as this program's source of tokens.

import { type Flags, hideFromOutput, UsageError } from '@mcp-overlay/cli';
import { accessFromFlags } from '@mcp-overlay/config';
import type { AccessSource } from '@mcp-overlay/overlay';

export function accessOf(flags: Pick<Flags, 'access' | 'accessKey'>): AccessSource | undefined {
  return accessFromFlags(flags, {
    env: process.env,
    onSecret: (value) => void hideFromOutput(value),
    wrong: (text, hint) => new UsageError(text, hint),
  });
}
