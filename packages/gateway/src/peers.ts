// What an operator sees and decides of the callers of a running gateway: who came, whom to let in, whom to shut out.

import { UsageError } from '@mcp-overlay/cli';
import { quoteWord } from '@mcp-overlay/config';
import { idsOf, type PeerBook, type PeerRecord } from '@mcp-overlay/overlay';
import type { Share } from './share.ts';

export interface PeerView extends PeerRecord {
  /** Sessions open now. */
  readonly sessions: number;
  /** It was given a role, and there are no rules. */
  readonly roleUnused?: true;
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

export interface PeersOptions {
  /** Those of the rules; undefined: there are no rules. */
  readonly roles: readonly string[] | undefined;
  /** Puts a decision on record. */
  record?(what: string, id: string): Promise<void>;
}

export function peersOf(
  book: PeerBook,
  share: Pick<Share, 'sessions' | 'cut' | 'widen'>,
  { roles, record = async () => {} }: PeersOptions,
): Peers {
  const view = (record: PeerRecord): PeerView => {
    const theirs = share.sessions().filter(({ accepted }) => idsOf(accepted.principal.id).includes(record.id));
    return { ...record, sessions: theirs.length };
  };
  const decided = (id: string): PeerView => view(book.get(id) ?? { id });
  return {
    list: () => book.list().map(view),
    allow: async (id, more) => {
      const { role } = more;
      if (role !== undefined && roles && !roles.includes(role)) {
        throw new UsageError(`no role ${quoteWord(role)} in the configuration, which has: ${roles.join(', ')}`);
      }
      await record('peers allow', id);
      await book.decide(id, 'allowed', more);
      if (role !== undefined) await share.widen(id);
      const view = decided(id);
      return role !== undefined && !roles ? { ...view, roleUnused: true } : view;
    },
    deny: async (id) => {
      // Whether or not it can be kept for the next start: from now on it is out.
      try {
        await book.decide(id, 'denied');
      } finally {
        await Promise.all([share.cut(id), record('peers deny', id).catch(() => {})]);
      }
      return decided(id);
    },
  };
}
