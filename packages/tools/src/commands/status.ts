// `mcp-tools status`: which network this user's programs take, who they are there, and which hosts their shares are held to.

import { type Command, EXIT, type Flags, print, printJson, printTable } from '@mcp-overlay/cli';
import { knownShares, type Overlay, openOverlay, ownIdentity, stateFolder, systemUser } from '@mcp-overlay/overlay';

/** Where a key of the JSON is no word. */
const LABELS: Readonly<Record<string, string>> = { stateFolder: 'state folder' };

export const statusCommand: Command = {
  usage: 'status',
  describe: 'own identity and network, hosts of known shares',
  options: { json: { type: 'boolean', describe: 'for programs' } },
  run: async (flags: Flags) => {
    const { identity, trust, overlay: kind } = flags;
    const { overlay, chosenBecause } = await openOverlay({ env: process.env, kind, identity, trust });
    const folder = await stateFolder(process.env);
    const shares = await overlay.listShares();
    const known = await knownShares(process.env).list();
    const status = {
      overlay: overlay.kind,
      because: chosenBecause,
      identity: await whoWeAre(overlay),
      stateFolder: folder.path,
      shares: shares.length,
      hosted: shares.filter((share) => share.hosted === true).length,
    };
    if (flags.json === true) printJson({ ...status, hosts: known });
    else {
      for (const [key, value] of Object.entries(status)) print(`${(LABELS[key] ?? key).padEnd(12)} ${value}\n`);
      if (known.length > 0) print('\n');
      if (known.length > 0) {
        printTable(
          ['share', 'network', 'host', 'since', 'besides', 'refused'],
          known.map(({ share, network, id, since, hosts, changed }) => [
            share,
            network,
            id,
            since,
            hosts.join(' '),
            changed?.id ?? '',
          ]),
        );
      }
    }
    await overlay.close();
    return EXIT.done;
  },
};

async function whoWeAre(overlay: Overlay): Promise<string> {
  const self = await ownIdentity(overlay);
  if (self && 'id' in self) return self.id;
  if (overlay.kind === 'local' && !self) return `owner (user ${systemUser().name})`;
  return `unproven: ${self?.unproven ?? 'this network gave us no certificate to prove who we are'}`;
}
