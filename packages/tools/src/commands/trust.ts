// `mcp-tools trust TOKEN [ID]`: accepts the host that came in place of the known one, names one before the first visit,
// or forgets it. What is accepted is what was refused before, or what was typed: nobody is asked over the network.

import { type Command, EXIT, type Flags, printJson, printTable, UsageError } from '@mcp-overlay/cli';
import {
  isPrincipalId,
  type KnownShare,
  knownShares,
  openOverlay,
  type ShareKey,
  shareKey,
} from '@mcp-overlay/overlay';

export const trustCommand: Command = {
  usage: 'trust <token> [id]',
  describe: 'accept the host of a share after it changed',
  positionals: {
    token: { type: 'string', describe: 'the share' },
    id: { type: 'string', describe: 'its host, as its operator told you; default: the one that was refused' },
  },
  options: {
    forget: { type: 'boolean', describe: 'know no host: the next proof is believed, and a host without any' },
    json: { type: 'boolean', describe: 'for programs' },
  },
  examples: [
    ['$0 trust my-gateway', 'accepts the host that was refused'],
    ['$0 trust my-gateway ziti:Ab3dE.f7H', 'before the first visit: no other will do'],
  ],
  run: async (flags: Flags) => {
    const share = String(flags.token);
    const id = flags.id as string | undefined;
    const forget = flags.forget === true;
    if (forget && id !== undefined) throw new UsageError('trust: either an id or --forget');
    if (id !== undefined && !isPrincipalId(id)) {
      throw new UsageError(`trust: ${id} is no principal id`, 'it begins with ziti:, spiffe:// or x509:');
    }
    const { identity, trust, overlay: kind } = flags;
    const { overlay } = await openOverlay({ env: process.env, kind, identity, trust });
    const key = shareKey(overlay, share);
    await overlay.close();
    let before: KnownShare | undefined;
    let after: KnownShare | undefined;
    await knownShares(process.env).update(key, (known) => {
      before = known;
      after = forget ? undefined : trusted(key, known, id);
      return after;
    });
    const told = { share, before: before?.id ?? null, host: after?.id ?? null };
    if (flags.json === true) printJson(told);
    else printTable(['share', 'host', 'before'], [[share, told.host ?? 'any', told.before ?? 'none']]);
    return EXIT.done;
  },
};

function trusted(key: ShareKey, known: KnownShare | undefined, id: string | undefined): KnownShare {
  const at = new Date().toISOString();
  const accepted = id === undefined ? known?.changed : { id, name: id };
  if (accepted) return { ...key, id: accepted.id, name: accepted.name, hosts: [], since: at, used: at };
  if (known) throw new UsageError(`no other host of share ${key.share} was seen; it is held to ${known.id}`);
  throw new UsageError(
    `share ${key.share} has no known host yet: the first that proves itself is remembered`,
    `to name it before: mcp-tools trust ${key.share} ID`,
  );
}
