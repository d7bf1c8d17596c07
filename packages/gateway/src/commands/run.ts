// `mcp-gateway run CONFIG`: serves until it is told to end. stdout carries the token line and nothing else.

import {
  announce,
  type Command,
  EXIT,
  endSignal,
  type Flags,
  holdYoungGeneration,
  openLogFor,
  say,
  toolkitVersion,
} from '@mcp-overlay/cli';
import { grantsOf, identityNotes, openOverlay } from '@mcp-overlay/overlay';
import { openAdmin } from '../admin/server.ts';
import { startGateway } from '../gateway.ts';
import { overlayOptions } from '../session-settings.ts';
import { askPredecessor } from '../succession/ask-predecessor.ts';
import { accessOf } from './access.ts';
import { askedAtStart } from './ask-passphrase.ts';
import { WITHIN, withinOf } from './drain.ts';
import { loadConfig } from './load-config.ts';

export const runCommand: Command = {
  usage: 'run <config>',
  describe: 'aggregate local servers and remote shares into one share',
  positionals: {
    config: { type: 'string', describe: 'our YAML, the YAML of the Go original, or any mcpServers JSON' },
  },
  access: true,
  options: {
    'accept-broken': {
      type: 'boolean',
      describe:
        'begins another audit log if the last one was changed; that one is left as it is, and named in the new one',
    },
    replace: {
      type: 'boolean',
      describe: 'takes the share over from the gateway that runs there; calls that are open finish at that one',
    },
    within: { type: 'string', default: WITHIN, describe: 'with --replace: what is open there after this is cut' },
  },
  examples: [
    ['$0 run config.yml', 'prints {"share_token":"…"} once it can be dialled'],
    ['$0 run --replace config.yml', 'an upgrade: no call is lost, agents notice nothing'],
  ],
  run: async (flags: Flags) => {
    holdYoungGeneration();
    let reload: () => void = () => {};
    using end = endSignal({ onHangup: () => reload() });
    const file = String(flags.config);
    const config = await loadConfig(file);
    const log = openLogFor('mcp-gateway', flags, config.logFile);
    const { identity, trust } = flags;
    const passphrase = await askedAtStart(config);
    const options = { config, file, log, env: process.env, identity, trust, access: accessOf(flags), passphrase };
    const { overlay, chosenBecause } = await openOverlay({
      ...overlayOptions(options),
      kind: flags.overlay ?? config.share.overlay,
    });
    log.info({ overlay: overlay.kind, because: chosenBecause }, 'overlay chosen');
    const { grants, hosts } = config.share;
    for (const note of await identityNotes(overlay, grantsOf(grants), hosts)) say(`mcp-gateway: ${note}`);
    const predecessor = await askPredecessor(config.share.token, {
      env: process.env,
      onlyIfLeaving: flags.replace !== true,
      withinMs: withinOf('run', flags),
      patienceMs: config.aggregator.connectTimeoutMs,
      stop: end.signal,
    });
    if (flags.replace === true && !predecessor) say('mcp-gateway: no gateway runs on this share; nobody is replaced');
    const starting = startGateway({
      ...options,
      overlay,
      version: toolkitVersion(),
      acceptBroken: flags.acceptBroken === true || flags['accept-broken'] === true,
      predecessor,
      onLost: (error) => end.lost(error),
    });
    const gateway = await starting.catch((error: unknown) => {
      predecessor?.giveUp();
      throw error;
    });
    reload = () => void gateway.reloads.reload('signal');
    const admin = await openAdmin(gateway, process.env, predecessor?.agrees(gateway.token) ?? false);
    // One that died meanwhile has nothing more to say.
    await predecessor?.taken().then(
      (open) => log.info({ share: gateway.token, pid: predecessor.pid, open }, 'share taken over'),
      (error: unknown) => log.warn({ pid: predecessor.pid, error: String(error) }, 'the predecessor does not answer'),
    );
    if (predecessor) await gateway.catchUp();
    announce({ share_token: gateway.token });
    const lost = await Promise.race([end.ended, gateway.succession.left.then(() => undefined)]);
    await Promise.all([admin.close(), gateway.close()]);
    await overlay.close();
    if (lost) throw lost;
    return EXIT.done;
  },
};
