// All shares of one gateway: its own, and one for each view that has one. The same peers, the same backends; who comes over a
// view's share sees at most the view.

import { grantsOf } from '@mcp-overlay/overlay';
import type { Policy } from './policy/policy.ts';
import { openShare, type Share, type ShareOptions } from './share.ts';

export interface Shares extends Share {
  /** Each by its token, the gateway's own first. */
  each(): readonly Pick<Share, 'token' | 'unreached'>[];
  readonly views: readonly { readonly view: string; readonly token: string }[];
}

export interface SharesOptions
  extends Omit<ShareOptions, 'settings' | 'admits' | 'rolesOf' | 'nextNumber' | 'elsewhere' | 'access'> {
  readonly policy: Policy;
  /** Which tokens the share of this view takes; undefined: the gateway's own. */
  accessFor(view: string | undefined): ShareOptions['access'];
  /** Of sessions for which these rules hold. */
  settingsFor(policy: Policy): ShareOptions['settings'];
}

export async function openShares(options: SharesOptions): Promise<Shares> {
  let sessions = 0;
  const opened: Share[] = [];
  const openFor = async (policy: Policy, more: Pick<ShareOptions, 'token' | 'grants' | 'view'>): Promise<Share> => {
    const at = opened.length;
    const share = await openShare({
      ...options,
      ...more,
      settings: options.settingsFor(policy),
      access: options.accessFor(more.view),
      admits: (principal) => policy.ruled && policy.rolesOf(principal).length > 0,
      rolesOf: (principal) => policy.rolesOf(principal),
      nextNumber: () => {
        sessions += 1;
        return sessions;
      },
      elsewhere: () => opened.reduce((sum, other, place) => sum + (place === at ? 0 : other.sessions().length), 0),
    });
    opened.push(share);
    return share;
  };
  const { policy } = options;
  const own = await openFor(policy, options);
  const views: { readonly view: string; readonly share: Share }[] = [];
  const all = (): readonly Share[] => [own, ...views.map(({ share }) => share)];
  const close = async (): Promise<void> => {
    await Promise.all(all().map((share) => share.close()));
  };
  try {
    for (const { view, token } of policy.shares) {
      // Whom the gateway's own share admits by name is not meant here: a view lets in whom its roles do.
      views.push({ view, share: await openFor(policy.through(view), { view, token, grants: grantsOf([]) }) });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    token: own.token,
    each: all,
    unreached: own.unreached,
    views: views.map(({ view, share }) => ({ view, token: share.token })),
    sessions: () => all().flatMap((share) => share.sessions()),
    cut: async (id) => {
      await Promise.all(all().map((share) => share.cut(id)));
    },
    widen: async (id) => {
      await Promise.all(all().map((share) => share.widen(id)));
    },
    check: async () => {
      await Promise.all(all().map((share) => share.check()));
    },
    endIdle: () => {
      for (const share of all()) share.endIdle();
    },
    leave: async (over) => {
      await Promise.all(all().map((share) => share.leave(over)));
    },
    yield: () => {
      const yielded = all().map((share) => share.yield());
      return {
        takeBack: async () => {
          await Promise.all(yielded.map((one) => one.takeBack()));
        },
      };
    },
    withdraw: async () => {
      await Promise.all(all().map((share) => share.withdraw()));
    },
    close,
  };
}
