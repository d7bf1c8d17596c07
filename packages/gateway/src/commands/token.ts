// `mcp-gateway token mint|list|revoke`: access tokens of a share. Of a running gateway, over its admin socket; with CONFIG, or
// with --share where none runs, on the files in the state folder, which a running gateway looks at too.

import { type Command, EXIT, type Flags, openLog, printJson, printTable, say, UsageError } from '@mcp-overlay/cli';
import { type GatewayConfig, LIFETIME_FORM, parseLifetime } from '@mcp-overlay/config';
import { isBlockId, networkNow, OverlayError, type Restriction } from '@mcp-overlay/overlay';
import { askAdmin } from '../admin/client.ts';
import { rolesIn } from '../gateway.ts';
import { secretsOf } from '../secrets.ts';
import { openShareBooks, tokensForShares } from '../share-tokens.ts';
import type { MintedToken, MintRequest, Tokens, TokenView } from '../tokens.ts';
import { loadConfig } from './load-config.ts';

const ACTIONS = ['mint', 'list', 'revoke'];
const MINT_ONLY = ['name', 'role', 'backend', 'tools', 'prompts', 'resources', 'ttl', 'for', 'bearer'];
const many = (describe: string) => ({ type: 'string', array: true, nargs: 1, describe }) as const;

export const tokenCommand: Command = {
  usage: 'token <action> [what] [config]',
  describe: 'access tokens of the share: make one, show them, take one back',
  positionals: {
    action: { type: 'string', describe: 'mint, list or revoke' },
    what: { type: 'string', describe: 'mint, list: CONFIG, if the gateway is not running; revoke: the id' },
    config: { type: 'string', describe: 'revoke: CONFIG, if the gateway is not running' },
  },
  options: {
    name: { type: 'string', describe: 'mint: what it is called where it is shown' },
    role: many('mint: a role of the configuration; without one it may what somebody who is let in may'),
    backend: many('mint: only these backends: * and ?, comma between'),
    tools: many("mint: only these tools, by their servers' own names"),
    prompts: many('mint: only these prompts'),
    resources: many('mint: only these resources, by URI'),
    ttl: { type: 'string', describe: 'mint: how long it is good (default 8h)' },
    for: { type: 'string', describe: 'mint: the key of whom it is for (mcp-tools key prints one)' },
    bearer: { type: 'boolean', describe: 'mint: whoever has it may use it (so it is without --for)' },
    view: { type: 'string', describe: 'mint, list: for the share of this view' },
    share: { type: 'string', describe: "the gateway's share token, only if several run" },
    json: { type: 'boolean', describe: 'for programs' },
  },
  examples: [
    ['$0 token mint --name bob --tools read_* --ttl 2h > bob.token', 'for: mcp-tools run --access file:bob.token'],
    ['$0 token mint --for mcpk1_…', 'of no use to whoever steals it'],
    ['$0 token list', 'what was made, and until when it is good'],
    ['$0 token revoke 5f0c…', 'it, and all that was narrowed from it, is out within a second'],
  ],
  run: async (flags: Flags) => {
    const action = String(flags.action);
    const [what, config] = [flags.what as string | undefined, flags.config as string | undefined];
    refuseWrong(action, what, config, flags);
    const tokens = await tokensFor(flags, action === 'revoke' ? config : what);
    if (action === 'mint') return mint(await tokens.mint(mintRequest(flags)), flags);
    if (action === 'list') return show(await tokens.list(), flags);
    const { id, revoked } = await tokens.revoke(String(what));
    if (flags.json === true) printJson({ id, revoked });
    else printTable(['token', 'revoked'], [[id, revoked]]);
    return EXIT.done;
  },
};

function refuseWrong(action: string, what: string | undefined, config: string | undefined, flags: Flags): void {
  if (!ACTIONS.includes(action)) throw new UsageError(`token: expected mint, list or revoke (got ${action})`);
  const beside = MINT_ONLY.find((name) => action !== 'mint' && flags[name] !== undefined);
  if (beside !== undefined) throw new UsageError(`token ${action}: --${beside} is for mint`);
  if (action !== 'revoke' && config !== undefined) throw new UsageError(`token ${action}: too many words`);
  if (action === 'revoke' && what === undefined) {
    throw new UsageError('token revoke: ID is missing', 'mcp-gateway token list shows them');
  }
  if (action === 'revoke' && !isBlockId(String(what))) {
    throw new UsageError(
      'token revoke: this is no id of a token',
      'as mcp-gateway token list and audits show it; never the token',
    );
  }
  if (action === 'revoke' && flags.view !== undefined) {
    throw new UsageError('token revoke: --view is for mint and list', 'an id is taken back whatever share it is for');
  }
  if (flags.for !== undefined && flags.bearer === true) throw new UsageError('token mint: either --for or --bearer');
}

async function tokensFor(flags: Flags, config: string | undefined): Promise<Tokens> {
  const [share, view] = [flags.share as string | undefined, flags.view as string | undefined];
  if (config !== undefined) return offline(await loadConfig(config), share, flags);
  const ask = async <T>(command: string, more: Readonly<Record<string, unknown>>): Promise<T> =>
    (await askAdmin(command, share, process.env, { more, naming: `${command} --share TOKEN` })) as T;
  const running: Tokens = {
    mint: (request) => ask<MintedToken>('token mint', { ...request, view }),
    list: () => ask<readonly TokenView[]>('token list', { view }),
    revoke: (id) => ask<{ id: string; revoked: string }>('token revoke', { id }),
  };
  if (share === undefined) return running;
  try {
    await running.list();
    return running;
  } catch (error) {
    if (!(error instanceof OverlayError) || error.code !== 'share_not_hosted') throw error;
    return offline(undefined, share, flags);
  }
}

/** On the files in the state folder. Without a configuration there are the share's own key and no roles. */
async function offline(config: GatewayConfig | undefined, named: string | undefined, flags: Flags): Promise<Tokens> {
  const share = named ?? config?.share.token;
  if (share === undefined) {
    throw new UsageError(
      'token: the configuration names no share',
      'its random share exists while it runs: leave CONFIG away then',
    );
  }
  const { env } = process;
  const network = await networkNow({ env, kind: flags.overlay ?? config?.share.overlay });
  const log = openLog({ program: 'mcp-gateway', level: 'error' });
  const secrets = config ? secretsOf({ config, env, log }) : { env };
  const tokens = config?.tokens ?? {};
  const books = await openShareBooks({ tokens, policy: config?.policy }, share, secrets);
  const made = tokensForShares(books, {
    network,
    share,
    maxTtlMs: tokens.maxTtlMs,
    roles: config && rolesIn(config),
  });
  return made(flags.view as string | undefined);
}

function mintRequest(flags: Flags): MintRequest {
  const lists = (['tools', 'prompts', 'resources'] as const).map((name) => [name, flags[name]] as const);
  const said = [...lists, ['backends', flags.backend] as const].filter(([, value]) => value !== undefined);
  const only: Restriction | undefined =
    said.length === 0 ? undefined : Object.fromEntries(said.map(([name, value]) => [name, words(value)]));
  return {
    name: flags.name as string | undefined,
    roles: flags.role === undefined ? undefined : words(flags.role),
    only,
    ttlMs: flags.ttl === undefined ? undefined : lifetimeOf(String(flags.ttl)),
    holder: flags.for as string | undefined,
  };
}

function words(value: unknown): readonly string[] {
  return (value as readonly string[]).flatMap((one) => one.split(',')).filter((word) => word !== '');
}

function lifetimeOf(text: string): number {
  const ms = parseLifetime(text);
  if (ms === undefined) throw new UsageError(`token mint: --ttl ${text}: expected ${LIFETIME_FORM}`);
  return ms;
}

function mint({ token, record }: MintedToken, flags: Flags): typeof EXIT.done {
  if (flags.json === true) printJson({ token, ...record });
  else process.stdout.write(`${token}\n`);
  const whose = record.holder === undefined ? 'whoever has it may use it' : `for ${record.holder}`;
  say(`mcp-gateway: token ${record.id}, good until ${record.until}; ${whose}`);
  return EXIT.done;
}

function show(tokens: readonly TokenView[], flags: Flags): typeof EXIT.done {
  if (flags.json === true) printJson(tokens);
  else {
    printTable(
      ['token', 'name', 'may', 'for', 'until', 'revoked'],
      tokens.map(({ id, name, roles, only, holder, until, revoked }) => [
        id,
        name,
        mayOf(roles, only),
        holder ?? 'anybody',
        until,
        revoked ?? '',
      ]),
    );
  }
  return EXIT.done;
}

function mayOf(roles: readonly string[] | undefined, only: Restriction | undefined): string {
  const parts = [
    ...(roles ? [`role ${roles.join(' ')}`] : []),
    ...Object.entries(only ?? {}).map(([kind, list]: [string, readonly string[]]) => `${kind} ${list.join(' ')}`),
  ];
  return parts.length === 0 ? 'all' : parts.join('; ');
}
