// `mcp-tools narrow`: from a token that may something to one that may less, offline. stdout is the new token, one line.

import { type Command, EXIT, type Flags, say, UsageError } from '@mcp-overlay/cli';
import { parseLifetime } from '@mcp-overlay/config';
import { keyFromText, narrowToken, opened, type Restriction, textOf, tokenText } from '@mcp-overlay/overlay';
import { accessOf } from '../access.ts';

const LISTS = ['tools', 'prompts', 'resources', 'backends'] as const;
const many = (describe: string) => ({ type: 'string', array: true, nargs: 1, describe }) as const;

export const narrowCommand: Command = {
  usage: 'narrow',
  describe: 'make a weaker access token from the one that --access names, asking nobody',
  access: true,
  options: {
    tools: many('only these tools, by the names that their servers give them: * and ?, comma between'),
    prompts: many('only these prompts'),
    resources: many('only these resources, by URI'),
    backends: many('only these backends'),
    role: many('only this role of those it has'),
    until: { type: 'string', describe: 'when it ends: 18:00, 8h, or a date such as 2026-12-01T18:00Z' },
    for: { type: 'string', describe: 'the key of whom it is for (mcp-tools key prints one)' },
    bearer: { type: 'boolean', describe: 'whoever has it may use it, though the one before is bound to a key' },
  },
  examples: [
    ['$0 narrow --access file:t --tools read_* --until 18:00', 'the rest of this day, and only to read'],
    ['$0 narrow --access file:t --backends fs --for mcpk1_…', 'for the holder of that key and nobody else'],
  ],
  run: async (flags: Flags) => {
    const access = accessOf(flags);
    if (!access) throw new UsageError('narrow: which token? --access is missing', '--access file:FILE');
    if (flags.for !== undefined && flags.bearer === true) throw new UsageError('narrow: either --for or --bearer');
    const secret = await access();
    const { token, rights, key } = opened(textOf(secret), secret.key);
    const narrowed = narrowToken(token, {
      key,
      rights,
      only: restrictionOf(flags),
      until: flags.until === undefined ? undefined : momentOf(String(flags.until), new Date()),
      next:
        flags.bearer === true
          ? 'bearer'
          : flags.for === undefined
            ? undefined
            : { holder: keyFromText(String(flags.for)) },
    });
    const { ids, expiresAt } = narrowed.rights;
    process.stdout.write(`${tokenText(narrowed.token)}\n`);
    say(
      `mcp-tools: token ${ids.at(-1)}, made from ${rights.ids.at(-1)}, good until ${new Date(expiresAt).toISOString()}`,
    );
    return EXIT.done;
  },
};

/** undefined: nothing was said. */
function restrictionOf(flags: Flags): Restriction | undefined {
  const lists = LISTS.flatMap((name) => (flags[name] === undefined ? [] : [[name, words(flags[name])] as const]));
  const roles = flags.role === undefined ? [] : [['roles', words(flags.role)] as const];
  const said = [...lists, ...roles];
  return said.length === 0 ? undefined : Object.fromEntries(said);
}

function words(value: unknown): readonly string[] {
  return (value as readonly string[]).flatMap((one) => one.split(',')).filter((word) => word !== '');
}

/** A time of this day (or the next, when it is over), a lifetime, or a date. */
export function momentOf(text: string, now: Date): number {
  const lifetime = parseLifetime(text);
  if (lifetime !== undefined) return now.getTime() + lifetime;
  const [, hour, minute] = /^([0-9]{1,2}):([0-9]{2})$/.exec(text) ?? [];
  if (hour !== undefined && Number(hour) < 24 && Number(minute) < 60) {
    const moment = new Date(now);
    moment.setHours(Number(hour), Number(minute), 0, 0);
    if (moment <= now) moment.setDate(moment.getDate() + 1);
    return moment.getTime();
  }
  const at = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) {
    throw new UsageError(`narrow: --until ${text} is no time`, '18:00, 8h, or a date such as 2026-12-01T18:00Z');
  }
  if (at <= now.getTime()) throw new UsageError(`narrow: --until ${text} is over`);
  return at;
}
