// `mcp-tools enable`, `disable`: joins and leaves a zrok network, no zrok program needed. `enroll`: joins an OpenZiti network.
// stdout stays empty; what became of it is said on stderr.

import { open } from 'node:fs/promises';
import { type Command, EXIT, type Flags, say, UsageError } from '@mcp-overlay/cli';
import { disableZrok, enableZrok, enrollZiti } from '@mcp-overlay/overlay';

/** An account token has 12 characters; an enrollment token with its certificates 2 KiB. */
const MAX_TOKEN_BYTES = 64 * 1024;

export const enableCommand: Command = {
  usage: 'enable <token>',
  describe: 'join a zrok network: this user becomes an environment of an account',
  positionals: { token: { type: 'string', describe: 'the account token; - reads it from stdin' } },
  options: { description: { type: 'string', describe: 'how the account shows it (default: user@host)' } },
  examples: [
    ['$0 enable TOKEN', 'joins zrok.io'],
    ['ZROK2_API_ENDPOINT=https://zrok.example.com $0 enable -', 'joins your own zrok, with the token on stdin'],
  ],
  run: async (flags: Flags) => {
    const accountToken = await readAccountToken(String(flags.token));
    const description = flags.description as string | undefined;
    const { apiEndpoint, envZId } = await enableZrok({
      env: process.env,
      accountToken,
      ...(description === undefined ? {} : { description }),
    });
    say(`mcp-tools: joined ${apiEndpoint} as environment ${envZId}`, 'programs take zrok now when no overlay is named');
    return EXIT.done;
  },
};

export const disableCommand: Command = {
  usage: 'disable',
  describe: 'leave the zrok network; shares and accesses of this environment end',
  run: async () => {
    const { apiEndpoint, envZId, left } = await disableZrok(process.env);
    if (left === undefined) {
      say(`mcp-tools: left ${apiEndpoint}; environment ${envZId} is removed`);
      return EXIT.done;
    }
    say(
      `mcp-tools: left ${apiEndpoint}, but environment ${envZId} may still be there: ${left.message}`,
      'remove it on the web console of the account',
    );
    return EXIT.failed;
  },
};

export const enrollCommand: Command = {
  usage: 'enroll <file>',
  describe: 'join an OpenZiti network with a one-time token',
  positionals: { file: { type: 'string', describe: 'the .jwt file that an administrator of the network made' } },
  options: { out: { type: 'string', alias: 'o', describe: 'the identity file to be made; keep it, it holds a key' } },
  examples: [['$0 enroll me.jwt -o me.json', 'then: --overlay ziti --identity me.json']],
  run: async (flags: Flags) => {
    const [file, out] = [String(flags.file), flags.out as string | undefined];
    if (out === undefined)
      throw new UsageError('enroll: -o FILE is missing', `mcp-tools enroll ${file} -o identity.json`);
    const { identityFile, id, controllers } = await enrollZiti(await readToken(file), out);
    say(
      `mcp-tools: joined ${controllers.map((url) => new URL(url).host).join(', ')} as identity ${id}`,
      `use it with: --overlay ziti --identity ${identityFile}`,
    );
    return EXIT.done;
  },
};

/** yargs reads a lone dash as an empty text. */
async function readAccountToken(typed: string): Promise<string> {
  if (typed !== '' && typed !== '-') return typed;
  if (process.stdin.isTTY) throw new UsageError('enable: no token on stdin', 'mcp-tools enable TOKEN');
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_TOKEN_BYTES) break;
  }
  return text.trim();
}

async function readToken(file: string): Promise<string> {
  try {
    await using handle = await open(file);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(MAX_TOKEN_BYTES), 0, MAX_TOKEN_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } catch (error) {
    throw new UsageError(`enroll: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
