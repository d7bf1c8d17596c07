// `mcp-tools status`: which network this user's programs take, and who they are there.

import { type Command, EXIT, type Flags, printJson } from '@mcp-overlay/cli';
import { openOverlay, stateFolder, systemUser } from '@mcp-overlay/overlay';

/** Where a key of the JSON is no word. */
const LABELS: Readonly<Record<string, string>> = { stateFolder: 'state folder' };

export const statusCommand: Command = {
  usage: 'status',
  describe: 'own identity and network',
  options: { json: { type: 'boolean', describe: 'for programs' } },
  run: async (flags: Flags) => {
    const { overlay, chosenBecause } = await openOverlay({ env: process.env, kind: flags.overlay });
    const folder = await stateFolder(process.env);
    const shares = await overlay.listShares();
    const status = {
      overlay: overlay.kind,
      because: chosenBecause,
      identity: `owner (user ${systemUser().name})`,
      stateFolder: folder.path,
      shares: shares.length,
      hosted: shares.filter((share) => share.hosted === true).length,
    };
    if (flags.json === true) printJson(status);
    else
      for (const [key, value] of Object.entries(status))
        process.stdout.write(`${(LABELS[key] ?? key).padEnd(12)} ${value}\n`);
    await overlay.close();
    return EXIT.done;
  },
};
