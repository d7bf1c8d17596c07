// `--access` and `--access-key`: where a token is, and the key of whom it is for. Never what they are: everybody on a machine
// can read its command lines.

import { type Flags, UsageError } from '@mcp-overlay/cli';
import { accessReader } from '@mcp-overlay/config';
import type { AccessSource } from '@mcp-overlay/overlay';

export function accessOf({ access, accessKey }: Pick<Flags, 'access' | 'accessKey'>): AccessSource | undefined {
  if (access === undefined && accessKey === undefined) return undefined;
  if (access === undefined) throw new UsageError('--access-key is the key of a token, and --access names none');
  const reader = accessReader({ access, key: accessKey }, { env: process.env });
  if (reader) return reader;
  throw new UsageError(
    '--access or --access-key is no reference to a secret',
    'file:/path, env:NAME or cmd:["program","argument"]; a token itself has no place on a command line',
  );
}
