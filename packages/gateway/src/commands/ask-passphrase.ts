// The passphrase of a vault, from whoever is at the terminal.

import { askHidden, canAsk, hideFromOutput, UsageError } from '@mcp-overlay/cli';
import { type GatewayConfig, SecretString } from '@mcp-overlay/config';

/** What takes an attacker with the file years, at half a second a try, if the words are random. */
const MIN_CHARS = 12;

export async function askPassphrase(fresh: boolean): Promise<SecretString> {
  const typed = await ask(
    fresh ? 'passphrase for the new vault (not shown): ' : 'passphrase of the vault (not shown): ',
  );
  if (fresh) {
    if (typed.toString().length < MIN_CHARS) {
      throw new UsageError(`a passphrase has at least ${MIN_CHARS} characters`, 'four or five random words are good');
    }
    if (!typed.equals(await ask('once more: '))) throw new UsageError('the two are not the same');
  }
  return new SecretString(typed, 'passphrase');
}

/** Before anything starts: a gateway does not stop half-way to ask. undefined: its vault wants none. */
export async function askedAtStart({ vault }: GatewayConfig): Promise<(() => Promise<SecretString>) | undefined> {
  if (vault?.key !== 'passphrase' || !canAsk()) return undefined;
  const passphrase = await askPassphrase(false);
  return async () => passphrase;
}

async function ask(question: string): Promise<Buffer> {
  const typed = await askHidden(question);
  hideFromOutput(typed);
  return typed;
}
