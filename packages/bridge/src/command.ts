// `mcp-bridge [options] COMMAND [ARGS…]`: serves one stdio server until it is told to end.

import {
  announce,
  type Command,
  EXIT,
  endSignal,
  type Flags,
  hideFromOutput,
  holdYoungGeneration,
  type Log,
  openLogFor,
  say,
  toolkitVersion,
  UsageError,
} from '@mcp-overlay/cli';
import { DURATION_FORM, looksSecret, parseBridgeEnv, parseDuration } from '@mcp-overlay/config';
import { type Grants, grantKind, grantsOf, identityNotes, openOverlay, privatePlaces } from '@mcp-overlay/overlay';
import { type EraSetting, RelayError, Sandbox, safeEnvironment } from '@mcp-overlay/relay';
import { startBridge } from './bridge.ts';
import { refuseMissing } from './find-command.ts';

export const bridgeCommand: Command = {
  usage: '$0',
  describe: 'make one stdio server a dark service',
  options: {
    'share-token': { type: 'string', describe: 'a persistent share made with mcp-tools create' },
    env: {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'K=V sets a variable of the server; K alone passes our own on',
    },
    grant: {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'who may come besides you: a principal id, network, unproven, an e-mail (zrok)',
    },
    shared: {
      type: 'boolean',
      describe: 'one server for all clients (they get none of its log lines)',
    },
    era: {
      type: 'string',
      choices: ['auto', 'legacy', 'modern'],
      default: 'auto',
      describe: 'protocol era of the server: up to 2025-11-25, or 2026-07-28',
    },
    sandbox: {
      type: 'string',
      choices: ['none', 'auto', 'strict'],
      default: 'none',
      describe: 'walls around the server: the best this system has (auto), or all or nothing (strict)',
    },
    warm: {
      type: 'number',
      choices: [0, 1, 2],
      default: 0,
      describe: 'servers started before anybody needs them',
    },
    idle: {
      type: 'string',
      describe: 'a server for everybody (--shared, or a modern one) that nobody used for so long is ended: 15m',
    },
    'working-dir': { type: 'string', describe: 'where the server runs (default: here)' },
  },
  examples: [
    ['$0 npx -y @modelcontextprotocol/server-filesystem /data', 'prints {"share_token":"…"}'],
    ['$0 --env API_KEY -- my-server --config x.yml', 'the server gets our API_KEY'],
  ],
  run: async (flags: Flags) => {
    const [command, ...args] = (flags._ as string[]).map(String);
    if (command === undefined) {
      throw new UsageError(
        'no command to run',
        'mcp-bridge [options] COMMAND [ARGS…], as in: mcp-bridge npx -y my-server',
      );
    }
    const grants = readGrants((flags.grant as string[] | undefined) ?? []);
    holdYoungGeneration();
    using end = endSignal();
    const declared = parseBridgeEnv((flags.env as string[] | undefined) ?? [], process.env);
    for (const [name, value] of Object.entries(declared)) {
      if (looksSecret(value, name) !== undefined) hideFromOutput(value);
    }
    const env = safeEnvironment(process.env, declared, []);
    const cwd = flags['working-dir'] as string | undefined;
    await refuseMissing({ command, cwd, env });
    const log = openLogFor('mcp-bridge', flags);
    const sandbox = await sandboxFor(flags, { name: 'server', command, args, env, cwd }, log);
    const { identity, trust, overlay: kind } = flags;
    const { overlay, chosenBecause } = await openOverlay({ env: process.env, kind, identity, trust, log });
    log.info({ overlay: overlay.kind, because: chosenBecause }, 'overlay chosen');
    for (const note of await identityNotes(overlay, grants)) say(`mcp-bridge: ${note}`);
    const bridge = await startBridge({
      overlay,
      token: flags['share-token'] as string | undefined,
      command,
      args,
      env,
      stateEnv: process.env,
      cwd,
      sandbox,
      warm: Number(flags.warm),
      idleMs: readIdle(flags.idle),
      grants,
      shared: flags.shared === true,
      era: flags.era as EraSetting,
      by: `mcp-bridge/${toolkitVersion()}`,
      log,
      onLost: (error) => end.lost(error),
    });
    announce({ share_token: bridge.token });
    const lost = await end.ended;
    await bridge.close();
    await overlay.close();
    if (lost) throw lost;
    return EXIT.done;
  },
};

/** Said to the person who typed it, now: what cannot be made cannot be made for any server later. */
async function sandboxFor(flags: Flags, start: Parameters<Sandbox['wrap']>[1], log: Log) {
  const wish = flags.sandbox as 'none' | 'auto' | 'strict';
  const of = new Sandbox({ log, hidden: privatePlaces(process.env, flags.identity) });
  try {
    await of.wrap(wish, start);
  } catch (error) {
    if (!(error instanceof RelayError)) throw error;
    throw new UsageError(`--sandbox ${wish}: ${error.message}`, error.hint);
  }
  return { wish, of };
}

function readIdle(text: unknown): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(String(text));
  if (ms === undefined || ms < 1000) throw new UsageError(`--idle ${text} is no time`, `${DURATION_FORM}, at least 1s`);
  return ms;
}

function readGrants(words: readonly string[]): Grants {
  for (const word of words) {
    if (grantKind(word) !== undefined) continue;
    throw new UsageError(
      `--grant ${word} means nobody`,
      'a principal id (ziti:…, spiffe://…, x509:…), network, unproven, or the e-mail of a zrok account',
    );
  }
  return grantsOf(words);
}
