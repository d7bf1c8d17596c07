// `mcp-tools create`, `delete`, `list`: persistent shares.

import { announce, type Command, EXIT, type Flags, printJson, printTable, say, tellOverlay } from '@mcp-overlay/cli';
import { forgetShare, type Overlay, openOverlay, type ShareInfo } from '@mcp-overlay/overlay';

export const createCommand: Command = {
  usage: 'create [name]',
  describe: 'make a share that keeps its token over restarts',
  positionals: { name: { type: 'string', describe: '3–32 of a–z, 0–9 and -; random when left out' } },
  options: {
    grant: { type: 'string', array: true, nargs: 1, describe: 'zrok: e-mail of an account that may dial it' },
    open: { type: 'boolean', describe: 'zrok: every account that knows the token may dial it' },
  },
  examples: [
    ['$0 create my-gateway', 'prints {"share_token":"my-gateway"}'],
    ['$0 create my-gateway --grant bob@example.com', "lets bob's account dial it"],
  ],
  run: async (flags: Flags) => {
    const grants = (flags.grant as string[] | undefined) ?? [];
    const open = flags.open === true;
    return withOverlay(flags, async (overlay) => {
      if (overlay.kind !== 'zrok' && (open || grants.length > 0)) {
        say(`mcp-tools: --grant and --open are not used: they are for zrok, and this is ${overlay.kind}`);
      }
      const name = flags.name === undefined ? undefined : String(flags.name);
      const share = await overlay.createShare(name, { grants, open });
      announce({ share_token: share.token });
    });
  },
};

export const deleteCommand: Command = {
  usage: 'delete <name>',
  describe: 'remove a persistent share',
  positionals: { name: { type: 'string', describe: 'its token' } },
  run: async (flags: Flags) =>
    withOverlay(flags, async (overlay) => {
      await overlay.deleteShare(String(flags.name));
      await forgetShare(String(flags.name), process.env);
      announce({ deleted: String(flags.name) });
    }),
};

export const listCommand: Command = {
  usage: 'list',
  describe: 'shares of this user',
  options: { json: { type: 'boolean', describe: 'for programs' } },
  run: async (flags: Flags) =>
    withOverlay(flags, async (overlay) => {
      const shares = await overlay.listShares();
      if (flags.json === true) {
        printJson(shares.map((share) => ({ ...share, createdAt: share.createdAt.toISOString() })));
        return;
      }
      // Where nobody decides what one may do, one may do everything.
      const rights = overlay.kind !== 'local';
      printTable(
        ['token', 'kind', 'hosted', 'since', ...(rights ? ['you may'] : [])],
        shares.map((share) => rowOf(share, rights)),
      );
    }),
};

function rowOf({ token, persistent, hosted, createdAt, may = [] }: ShareInfo, rights: boolean): string[] {
  return [
    token,
    persistent ? 'persistent' : 'ephemeral',
    hosted === undefined ? 'unknown' : hosted ? 'yes' : 'no',
    createdAt.toISOString(),
    ...(rights ? [may.join(', ')] : []),
  ];
}

async function withOverlay(flags: Flags, work: (overlay: Overlay) => Promise<void>): Promise<typeof EXIT.done> {
  const { identity, trust, overlay: kind } = flags;
  const { overlay, chosenBecause } = await openOverlay({ env: process.env, kind, identity, trust });
  tellOverlay('mcp-tools', flags, { kind: overlay.kind, because: chosenBecause });
  try {
    await work(overlay);
  } finally {
    await overlay.close();
  }
  return EXIT.done;
}
