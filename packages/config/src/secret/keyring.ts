// Secrets of the desktop's keyring, by a package that a user may install beside us; we do not bring it. Its form is that
// of @napi-rs/keyring 1.x (`Entry`, README).

import { SecretError } from './errors.ts';

const PACKAGE = '@napi-rs/keyring';

export interface Keyring {
  readonly Entry: new (service: string, user: string) => { getPassword(): string | null | undefined };
}

export type LoadKeyring = () => Promise<Keyring>;

/** By a name that no bundler follows: it is looked for when it is needed, from where this program lies. */
const loadInstalled: LoadKeyring = async () => {
  const name = PACKAGE;
  return (await import(name)) as Keyring;
};

export async function readKeyring(
  service: string,
  user: string,
  shown: string,
  load: LoadKeyring = loadInstalled,
): Promise<Buffer> {
  const keyring = await load().catch(() => {
    throw new SecretError(
      'keyring_unavailable',
      `${shown}: the package ${PACKAGE} is not installed`,
      `npm install -g ${PACKAGE}, or use file:, vault: or cmd:`,
    );
  });
  let found: string | null | undefined;
  try {
    found = new keyring.Entry(service, user).getPassword();
  } catch {
    // Its error may be anything, from a locked keyring to a desktop that is not there.
    throw new SecretError(
      'keyring_unavailable',
      `${shown}: the keyring of this user does not answer`,
      'is it unlocked?',
    );
  }
  if (found === null || found === undefined)
    throw new SecretError('secret_missing', `${shown}: the keyring has no such entry`);
  return Buffer.from(found);
}
