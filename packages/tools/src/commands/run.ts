// `mcp-tools run TOKEN`: an agent's stdio on a share. stdout carries MCP and nothing else, ever.

import {
  type Command,
  EXIT,
  endSignal,
  type Flags,
  holdYoungGeneration,
  openLogFor,
  say,
  toolkitVersion,
} from '@mcp-overlay/cli';
import { openOverlay, stateFolder } from '@mcp-overlay/overlay';
import { accessOf } from '../access.ts';
import { agentEntry } from '../agent-entry.ts';
import { attach } from '../attach.ts';

export const runCommand: Command = {
  usage: 'run <token>',
  access: true,
  describe: "connect an agent's stdio to a share",
  positionals: { token: { type: 'string', describe: 'the share token of a gateway or bridge' } },
  examples: [['$0 run my-gateway', 'the command of an agent entry']],
  run: async (flags: Flags) => {
    const token = String(flags.token);
    const access = accessOf(flags);
    holdYoungGeneration();
    using end = endSignal();
    const log = openLogFor('mcp-tools', flags);
    const { identity, trust, overlay: kind } = flags;
    const { overlay, chosenBecause } = await openOverlay({
      env: process.env,
      kind,
      identity,
      trust,
      dialSoon: token,
      log,
    });
    log[flags.overlay === undefined ? 'info' : 'debug'](
      { overlay: overlay.kind, because: chosenBecause },
      'overlay chosen',
    );
    if (process.stdin.isTTY) {
      const { path } = await stateFolder(process.env);
      say(
        'mcp-tools: this speaks MCP on stdin and stdout; an agent starts it when this is in its configuration:',
        agentEntry({
          token,
          overlay: overlay.kind,
          identity,
          trust,
          access: flags.access,
          accessKey: flags.accessKey,
          stateFolder: path,
        }),
      );
    }
    const { failure } = await attach({
      overlay,
      token,
      access,
      by: `mcp-tools/${toolkitVersion()}`,
      log,
      input: process.stdin,
      output: process.stdout,
      signal: end.signal,
    });
    await overlay.close();
    if (failure) throw failure;
    return EXIT.done;
  },
};
