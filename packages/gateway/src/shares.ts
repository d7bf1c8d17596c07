// All shares of one gateway: its own, and one for each view that has one. The same peers, the same backends; who comes over a
// view's share sees at most the view. Views come and go while the gateway runs.

import type { CloseReason } from '@mcp-overlay/relay';
import { openShare, type Share, type ShareOptions, type ShareRules } from './share.ts';

export interface ViewShare {
  readonly view: string;
  readonly token: string;
}

/** `rules`: until, or when no longer, something is in force for this view. */
export type WantedShare = ViewShare & { readonly rules: ShareRules };

export interface Shares extends Share {
  /** Each by its token, the gateway's own first. */
  each(): readonly Pick<Share, 'token' | 'unreached'>[];
  readonly views: readonly ViewShare[];
  /** Opens what is not there yet; nothing is closed before `commit`. Rejects with what one of them failed with. */
  prepare(views: readonly WantedShare[]): Promise<PreparedShares>;
}

export interface PreparedShares {
  /** Those that are not wanted any more end. */
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface SharesOptions extends Omit<ShareOptions, 'now' | 'nextNumber' | 'elsewhere' | 'view' | 'takeOver'> {
  /** Of the first shares: those that another process has and agreed to lose. */
  takesOver?(token: string): boolean;
  readonly views: readonly WantedShare[];
  /** Of the gateway's own share, at first. */
  readonly rules: ShareRules;
  /** In force now, for whoever comes over the share of this view, or over the gateway's own. */
  rulesOf(view: string | undefined): ShareRules | undefined;
}

const UNHOSTED: CloseReason = { code: 'away', reason: 'this share is not hosted any more' };

export async function openShares(options: SharesOptions): Promise<Shares> {
  let sessions = 0;
  const all = new Set<Share>();
  /** Others host shares of views that are new from here on. */
  let left = false;
  let takesOver = options.takesOver ?? (() => false);
  const openFor = async (token: string | undefined, rules: ShareRules, view?: string): Promise<Share> => {
    let self: Share | undefined;
    self = await openShare({
      ...options,
      takeOver: token !== undefined && takesOver(token),
      token,
      ...(view !== undefined && { view }),
      now: () => options.rulesOf(view) ?? rules,
      nextNumber: () => {
        sessions += 1;
        return sessions;
      },
      elsewhere: () => [...all].reduce((sum, other) => sum + (other === self ? 0 : other.sessions().length), 0),
    });
    all.add(self);
    return self;
  };
  const end = async (share: Share, reason?: CloseReason): Promise<void> => {
    all.delete(share);
    await share.close(reason);
  };
  const own = await openFor(options.token, options.rules);
  let views: readonly { readonly view: string; readonly share: Share }[] = [];
  const prepare: Shares['prepare'] = async (wanted) => {
    const next: { readonly view: string; readonly share: Share }[] = [];
    const fresh: Share[] = [];
    const abort = async (): Promise<void> => {
      await Promise.all(fresh.map((share) => end(share, UNHOSTED)));
    };
    try {
      for (const { view, token, rules } of wanted) {
        const known = views.find((one) => one.view === view && one.share.token === token);
        if (!known && left) continue;
        const share = known?.share ?? (await openFor(token, rules, view));
        if (!known) fresh.push(share);
        next.push({ view, share });
      }
    } catch (error) {
      await abort();
      throw error;
    }
    return {
      abort,
      commit: async () => {
        const gone = views.filter(({ share }) => !next.some((one) => one.share === share));
        views = next;
        await Promise.all(gone.map(({ share }) => end(share, UNHOSTED)));
      },
    };
  };
  const each = <T>(what: (share: Share) => Promise<T>): Promise<T[]> => Promise.all([...all].map(what));
  const sum = async (what: (share: Share) => Promise<number>): Promise<number> =>
    (await each(what)).reduce((sum, one) => sum + one, 0);
  const close = async (reason?: CloseReason): Promise<void> => {
    await each((share) => share.close(reason));
  };
  try {
    await (await prepare(options.views)).commit();
    // What comes later was agreed with nobody.
    takesOver = () => false;
  } catch (error) {
    await close();
    throw error;
  }
  return {
    token: own.token,
    get views() {
      return views.map(({ view, share }) => ({ view, token: share.token }));
    },
    prepare,
    each: () => [...all],
    unreached: own.unreached,
    endIdle: () => {
      for (const share of all) share.endIdle();
    },
    leave: async (over) => {
      left = true;
      await each((share) => share.leave(over));
    },
    yield: () => {
      const yielded = [...all].map((share) => share.yield());
      return { takeBack: async () => void (await Promise.all(yielded.map((one) => one.takeBack()))) };
    },
    withdraw: async () => void (await each((share) => share.withdraw())),
    sessions: () => [...all].flatMap((share) => share.sessions()),
    cut: async (id) => void (await each((share) => share.cut(id))),
    widen: async (id) => void (await each((share) => share.widen(id))),
    check: async () => void (await each((share) => share.check())),
    outgrow: () => sum((share) => share.outgrow()),
    renew: (which, reason) => sum((share) => share.renew(which, reason)),
    refresh: async () => void (await each((share) => share.refresh())),
    drain: (before, reason) => sum((share) => share.drain(before, reason)),
    close,
  };
}
