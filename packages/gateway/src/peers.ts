// What an operator sees and decides of the callers of a running gateway: who came, whom to let in, whom to shut out.

import { idsOf, type PeerBook, type PeerRecord } from '@mcp-overlay/overlay';
import type { Share } from './share.ts';

export interface PeerView extends PeerRecord {
  /** Sessions open now. */
  readonly sessions: number;
}

export interface Peers {
  list(): readonly PeerView[];
  allow(
    id: string,
    more: { readonly name?: string | undefined; readonly role?: string | undefined },
  ): Promise<PeerView>;
  /** Resolves when its sessions are over too. */
  deny(id: string): Promise<PeerView>;
}

export function peersOf(book: PeerBook, share: Share): Peers {
  const view = (record: PeerRecord): PeerView => {
    const theirs = share.sessions().filter(({ accepted }) => idsOf(accepted.principal.id).includes(record.id));
    return { ...record, sessions: theirs.length };
  };
  const decided = (id: string): PeerView => view(book.get(id) ?? { id });
  return {
    list: () => book.list().map(view),
    allow: async (id, more) => {
      await book.decide(id, 'allowed', more);
      return decided(id);
    },
    deny: async (id) => {
      // Whether or not it can be kept for the next start: from now on it is out.
      try {
        await book.decide(id, 'denied');
      } finally {
        await share.cut(id);
      }
      return decided(id);
    },
  };
}
