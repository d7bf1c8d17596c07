// Opens a vault for the gateway and for `mcp-gateway vault`: where it is, and what its key is. Without a word about
// either it lies in the state folder, with a key beside it that was made there.

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '@mcp-overlay/cli';
import {
  parseSecretReference,
  type ResolveOptions,
  resolveSecret,
  type SecretReference,
  type SecretString,
  Vault,
  type VaultConfig,
} from '@mcp-overlay/config';
import { stateFolder } from '@mcp-overlay/overlay';

const KEY_BYTES = 32;

export interface VaultSurroundings extends VaultConfig {
  readonly options: ResolveOptions;
  /** Asks whoever is at the terminal, twice for a new vault. Absent: nobody is there. */
  readonly passphrase?: ((fresh: boolean) => Promise<SecretString>) | undefined;
}

export async function openVault({ path, key, options, passphrase }: VaultSurroundings): Promise<Vault> {
  const { secrets } = await stateFolder(options.env);
  const keyFile = join(secrets, 'vault.key');
  return new Vault({
    path: path ?? join(secrets, 'vault'),
    key: async (fresh) => {
      if (key === 'passphrase') {
        if (passphrase === undefined) {
          throw new UsageError(
            'the vault wants a passphrase, and there is no terminal to ask on',
            'give its key as a reference',
          );
        }
        return { secret: await passphrase(fresh), typed: true };
      }
      if (key === undefined && fresh) await makeKey(keyFile);
      return { secret: await resolveSecret(key ?? referenceTo(keyFile), options), typed: false };
    },
  });
}

/** One that is there stays: it opens other copies. */
async function makeKey(file: string): Promise<void> {
  const key = `${randomBytes(KEY_BYTES).toString('base64url')}\n`;
  await writeFile(file, key, { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

function referenceTo(file: string): SecretReference {
  return { kind: 'file', path: file, text: `file:${file}` };
}

/** Of the command line. */
export function vaultKeyOf(text: string | undefined): VaultConfig['key'] | undefined {
  if (text === undefined || text === 'passphrase') return text;
  const reference = parseSecretReference(text);
  if (reference !== undefined && reference.kind !== 'vault') return reference;
  throw new UsageError(
    '--key is no reference to a key',
    'file:PATH, cmd:["program","argument"], creds:NAME, env:NAME, or passphrase',
  );
}
