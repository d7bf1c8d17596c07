// `mcp-tools create`, `delete`, `list`: persistent shares.

import { announce, type Command, EXIT, type Flags, printJson, printTable, tellOverlay } from '@mcp-overlay/cli';
import { forgetPeers, type Overlay, openOverlay } from '@mcp-overlay/overlay';

export const createCommand: Command = {
  usage: 'create [name]',
  describe: 'make a share that keeps its token over restarts',
  positionals: { name: { type: 'string', describe: '3–32 of a–z, 0–9 and -; random when left out' } },
  examples: [['$0 create my-gateway', 'prints {"share_token":"my-gateway"}']],
  run: async (flags: Flags) => {
    const overlay = await open(flags);
    const share = await overlay.createShare(flags.name === undefined ? undefined : String(flags.name));
    announce({ share_token: share.token });
    await overlay.close();
    return EXIT.done;
  },
};

export const deleteCommand: Command = {
  usage: 'delete <name>',
  describe: 'remove a persistent share',
  positionals: { name: { type: 'string', describe: 'its token' } },
  run: async (flags: Flags) => {
    const overlay = await open(flags);
    await overlay.deleteShare(String(flags.name));
    await forgetPeers(String(flags.name), process.env);
    announce({ deleted: String(flags.name) });
    await overlay.close();
    return EXIT.done;
  },
};

export const listCommand: Command = {
  usage: 'list',
  describe: 'shares of this user',
  options: { json: { type: 'boolean', describe: 'for programs' } },
  run: async (flags: Flags) => {
    const overlay = await open(flags);
    const shares = await overlay.listShares();
    if (flags.json === true) {
      printJson(shares.map((share) => ({ ...share, createdAt: share.createdAt.toISOString() })));
    } else {
      printTable(
        ['token', 'kind', 'hosted', 'since'],
        shares.map((share) => [
          share.token,
          share.persistent ? 'persistent' : 'ephemeral',
          share.hosted === undefined ? 'unknown' : share.hosted ? 'yes' : 'no',
          share.createdAt.toISOString(),
        ]),
      );
    }
    await overlay.close();
    return EXIT.done;
  },
};

async function open(flags: Flags): Promise<Overlay> {
  const { overlay, chosenBecause } = await openOverlay({ env: process.env, kind: flags.overlay });
  tellOverlay('mcp-tools', flags, { kind: overlay.kind, because: chosenBecause });
  return overlay;
}
