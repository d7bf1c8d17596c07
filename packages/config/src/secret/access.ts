// An access token where its references say: read anew each time it is asked for, since such a file is replaced.

import type { SecretReference } from './reference.ts';
import { type ResolveOptions, resolveSecret } from './resolve.ts';
import type { SecretString } from './secret-string.ts';

export interface AccessReferences {
  readonly access: SecretReference;
  /** Of the key of whom the token is for. */
  readonly key?: SecretReference | undefined;
}

export type AccessReader = () => Promise<{ readonly token: SecretString; readonly key?: SecretString }>;

/** What it gives rejects with a SecretError. */
export function accessReader({ access, key }: AccessReferences, options: ResolveOptions): AccessReader {
  return async () => ({
    token: await resolveSecret(access, options),
    ...(key && { key: await resolveSecret(key, options) }),
  });
}
