// An access token where its references say: read anew each time it is asked for, since such a file is replaced.

import { parseSecretReference, type SecretReference } from './reference.ts';
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

/** `--access` and `--access-key`: where a token is, and the key of whom it is for. Never what they are: everybody on a machine
 *  can read its command lines. Throws what `wrong` makes of a sentence and a hint. */
export function accessFromFlags(
  { access, accessKey }: { readonly access?: string | undefined; readonly accessKey?: string | undefined },
  { wrong, ...options }: ResolveOptions & { wrong(text: string, hint?: string): Error },
): AccessReader | undefined {
  if (access === undefined && accessKey === undefined) return undefined;
  if (access === undefined) throw wrong('--access-key is the key of a token, and --access names none');
  const referenceOf = (text: string): SecretReference => {
    const reference = parseSecretReference(text);
    if (reference) return reference;
    throw wrong(
      '--access or --access-key is no reference to a secret',
      'file:/path, env:NAME or cmd:["program","argument"]; a token itself has no place on a command line',
    );
  };
  const key = accessKey === undefined ? undefined : referenceOf(accessKey);
  return accessReader({ access: referenceOf(access), key }, options);
}
