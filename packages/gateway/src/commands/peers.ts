// `mcp-gateway peers [allow ID [--name N] [--role R] | deny ID]`: who came to a running gateway, and who may.

import { type Command, EXIT, type Flags, printJson, printTable, say, UsageError } from '@mcp-overlay/cli';
import { isPrincipalId } from '@mcp-overlay/overlay';
import { askAdmin } from '../admin/client.ts';
import type { PeerView } from '../peers.ts';

const ACTIONS = ['allow', 'deny'];
const MAX_NAME_CHARS = 100;

export const peersCommand: Command = {
  usage: 'peers [action] [id]',
  describe: 'who came to a running gateway; lets somebody in, or shuts out',
  positionals: {
    action: { type: 'string', describe: 'allow or deny; without it, shows who came' },
    id: { type: 'string', describe: 'a principal id, as the list or a refusal shows it' },
  },
  options: {
    name: { type: 'string', describe: 'what to call the one who is let in' },
    role: { type: 'string', describe: 'a role of the configuration, besides those it has there' },
    share: { type: 'string', describe: "the gateway's share token, only if several run" },
    json: { type: 'boolean', describe: 'for programs' },
  },
  examples: [
    ['$0 peers', 'who came, who was refused, and why'],
    ['$0 peers allow ziti:Ab3dE.f7H --name alice', 'lets alice in, now and after restarts'],
    ['$0 peers deny ziti:Ab3dE.f7H', 'shuts her out and ends her sessions'],
  ],
  run: async (flags: Flags) => {
    const action = flags.action as string | undefined;
    const id = flags.id as string | undefined;
    refuseWrong(action, id, flags);
    const share = flags.share as string | undefined;
    const command = action === undefined ? 'peers' : `peers ${action}`;
    const more = { id, name: flags.name, role: flags.role };
    const answer = await askAdmin(command, share, process.env, {
      more,
      naming: `${command} --share TOKEN`,
      andLeaving: action === 'deny',
    });
    const peers = (Array.isArray(answer) ? answer : [answer]) as readonly PeerView[];
    if (flags.json === true) printJson(action === undefined ? peers : peers[0]);
    else show(peers);
    if (peers.some(({ roleUnused }) => roleUnused)) {
      say('mcp-gateway: no rule uses roles yet; this one is kept for when they do');
    }
    return EXIT.done;
  },
};

function refuseWrong(action: string | undefined, id: string | undefined, { name, role }: Flags): void {
  if (action === undefined) return;
  if (!ACTIONS.includes(action)) throw new UsageError(`peers: expected allow or deny (got ${action})`);
  if (id === undefined) throw new UsageError(`peers ${action}: ID is missing`, 'mcp-gateway peers shows who came');
  if (!isPrincipalId(id)) {
    throw new UsageError(
      `peers ${action}: ${id} is no principal id`,
      id.includes('@')
        ? 'an e-mail proves nothing: name it in share.grants, and allow the id that comes'
        : 'it begins with ziti:, spiffe:// or x509:, as mcp-gateway peers and mcp-tools status show it',
    );
  }
  if (action === 'deny' && (name !== undefined || role !== undefined)) {
    throw new UsageError('peers deny: --name and --role are for those who are let in');
  }
  if (typeof name === 'string' && name.length > MAX_NAME_CHARS) {
    throw new UsageError(`peers allow: --name has more than ${MAX_NAME_CHARS} characters`);
  }
}

function show(peers: readonly PeerView[]): void {
  printTable(
    ['who', 'name', 'claims', 'last seen', 'sessions', 'decision', 'last time'],
    peers.map((peer) => [
      peer.id,
      peer.name ?? '',
      peer.claimed ?? '',
      peer.lastSeen ?? 'never',
      String(peer.sessions),
      [peer.decision ?? '', peer.role === undefined ? '' : `role ${peer.role}`]
        .filter((word) => word !== '')
        .join(', '),
      peer.outcome ?? '',
    ]),
  );
}
