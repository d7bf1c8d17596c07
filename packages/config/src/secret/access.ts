// An access token where its references say: read anew each time it is asked for, since such a file is replaced.

import { parseSecretReference } from './reference.ts';
import { type ResolveOptions, resolveSecret } from './resolve.ts';
import type { SecretString } from './secret-string.ts';

export interface AccessReferences {
  readonly access: string;
  /** Of the key of whom the token is for. */
  readonly key?: string | undefined;
}

export type AccessReader = () => Promise<{ readonly token: SecretString; readonly key?: SecretString }>;

/** undefined: one of them is no reference. What it reads rejects with a SecretError. */
export function accessReader({ access, key }: AccessReferences, options: ResolveOptions): AccessReader | undefined {
  const [ofToken, ofKey] = [parseSecretReference(access), key === undefined ? undefined : parseSecretReference(key)];
  if (!ofToken || (key !== undefined && !ofKey)) return undefined;
  return async () => ({
    token: await resolveSecret(ofToken, options),
    ...(ofKey && { key: await resolveSecret(ofKey, options) }),
  });
}
