// `mcp-gateway vault set NAME | list | rm NAME`: secrets in a sealed file, for `vault:NAME` in configurations. A value comes
// by stdin or is typed unseen; it is never an argument.

import { resolve } from 'node:path';
import {
  askHidden,
  type Command,
  canAsk,
  EXIT,
  type Flags,
  hideFromOutput,
  printJson,
  printTable,
  readPiped,
  say,
  UsageError,
} from '@mcp-overlay/cli';
import { VAULT_NAME } from '@mcp-overlay/config';
import { openVault, vaultKeyOf } from '../vault.ts';
import { askPassphrase } from './ask-passphrase.ts';

const ACTIONS = ['set', 'list', 'rm'];

export const vaultCommand: Command = {
  usage: 'vault <action> [name]',
  describe: 'secrets in an encrypted file, for vault:NAME in configurations',
  positionals: {
    action: { type: 'string', describe: 'set, list or rm' },
    name: { type: 'string', describe: 'what the secret is called' },
  },
  options: {
    vault: { type: 'string', describe: 'the file (default: in the state folder)' },
    key: {
      type: 'string',
      describe: 'what opens it: file: cmd: creds: env:, or passphrase (default: a key in the state folder)',
    },
    json: { type: 'boolean', describe: 'list: for programs' },
  },
  examples: [
    ['$0 vault set github', 'asks for the value, unseen'],
    ['pass show github | $0 vault set github', 'takes it from a pipe'],
    ['$0 vault list --vault ./mcp.vault --key passphrase', 'asks for the passphrase of another vault'],
  ],
  run: async (flags: Flags) => {
    const action = String(flags.action);
    const name = flags.name as string | undefined;
    refuseWrong(action, name, flags);
    const vault = await openVault({
      ...(flags.vault === undefined ? {} : { path: resolve(String(flags.vault)) }),
      ...keyOf(flags),
      options: { env: process.env, baseDir: process.cwd(), onSecret: (value) => void hideFromOutput(value) },
      passphrase: canAsk() ? askPassphrase : undefined,
    });
    if (action === 'list') {
      const entries = await vault.list();
      if (flags.json === true) printJson(entries);
      else
        printTable(
          ['name', 'set'],
          entries.map((entry) => [entry.name, entry.at]),
        );
      return EXIT.done;
    }
    if (name === undefined) return EXIT.usage;
    if (action === 'set') {
      // The key first: nobody types a secret into a vault that does not open.
      await vault.list();
      await vault.set(name, await valueFor(name));
      say(`mcp-gateway: ${name} is set`, `write vault:${name} where it belongs`);
    } else if (await vault.remove(name)) {
      say(`mcp-gateway: ${name} is removed`);
    } else {
      throw new UsageError(`vault rm: there is no ${name}`, 'mcp-gateway vault list shows the names');
    }
    return EXIT.done;
  },
};

function refuseWrong(action: string, name: string | undefined, { json }: Flags): void {
  if (!ACTIONS.includes(action)) throw new UsageError(`vault: expected set, list or rm (got ${action})`);
  if (action === 'list' && name !== undefined) throw new UsageError('vault list: takes no name');
  if (action !== 'list' && json === true) throw new UsageError(`vault ${action}: --json belongs to list`);
  if (action === 'list') return;
  if (name === undefined) throw new UsageError(`vault ${action}: NAME is missing`);
  if (!VAULT_NAME.test(name)) {
    throw new UsageError(`vault ${action}: this cannot be a name`, 'one line, without blanks at its ends');
  }
}

function keyOf(flags: Flags) {
  const key = vaultKeyOf(flags.key as string | undefined);
  return key === undefined ? {} : { key };
}

async function valueFor(name: string): Promise<Buffer> {
  const value = process.stdin.isTTY ? await askHidden(`value of ${name} (not shown): `) : await readPiped();
  if (value.length === 0) throw new UsageError(`vault set: the value of ${name} is empty`);
  if (!hideFromOutput(value)) {
    say('mcp-gateway: a secret with fewer than 8 bytes cannot be kept out of logs');
  }
  return value;
}
