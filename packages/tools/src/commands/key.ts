// `mcp-tools key FILE`: a key that tokens can be made for. What it prints is public; the file is not.

import { open, readFile, stat } from 'node:fs/promises';
import { type Command, EXIT, type Flags, say, UsageError } from '@mcp-overlay/cli';
import { keyFromPem, keyPem, keyText, newKey } from '@mcp-overlay/overlay';

export const keyCommand: Command = {
  usage: 'key <file>',
  describe: 'make a key that access tokens can be bound to, and print its public part',
  positionals: { file: { type: 'string', describe: 'where the key is, or is to be; nobody else may read it' } },
  examples: [['$0 key ~/.keys/me.pem', 'prints mcpk1_…, for: mcp-gateway token mint --for mcpk1_…']],
  run: async (flags: Flags) => {
    const file = String(flags.file);
    process.stdout.write(`${(await readKey(file)) ?? (await makeKey(file))}\n`);
    return EXIT.done;
  },
};

async function readKey(file: string): Promise<string | undefined> {
  const pem = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new UsageError(`key: ${file} cannot be read (${error.code})`);
  });
  if (pem === undefined) return undefined;
  const { mode } = await stat(file);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new UsageError(`key: ${file} is open to others`, `chmod 600 ${file}`);
  }
  return keyText(keyFromPem(pem, file));
}

async function makeKey(file: string): Promise<string> {
  const key = newKey();
  const handle = await open(file, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`key: ${file} cannot be made (${error.code})`);
  });
  await handle.writeFile(keyPem(key));
  await handle.close();
  say(`mcp-tools: made ${file}; use it with: --access-key file:${file}`);
  return keyText(key);
}
