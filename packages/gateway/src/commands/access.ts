// `--access` and `--access-key`: where a token is, and the key of whom it is for. Never what they are: everybody on a machine
// can read its command lines.

import { type Flags, hideFromOutput, UsageError } from '@mcp-overlay/cli';
import { accessReader, parseSecretReference, type SecretReference } from '@mcp-overlay/config';
import type { AccessSource } from '@mcp-overlay/overlay';

export function accessOf({ access, accessKey }: Pick<Flags, 'access' | 'accessKey'>): AccessSource | undefined {
  if (access === undefined && accessKey === undefined) return undefined;
  if (access === undefined) throw new UsageError('--access-key is the key of a token, and --access names none');
  const references = { access: referenceOf(access), ...(accessKey !== undefined && { key: referenceOf(accessKey) }) };
  return accessReader(references, { env: process.env, onSecret: (value) => void hideFromOutput(value) });
}

function referenceOf(text: string): SecretReference {
  const reference = parseSecretReference(text);
  if (reference) return reference;
  throw new UsageError(
    '--access or --access-key is no reference to a secret',
    'file:/path, env:NAME or cmd:["program","argument"]; a token itself has no place on a command line',
  );
}
