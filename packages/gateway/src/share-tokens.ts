// The access tokens of all shares of a gateway: its own, and those of views, each with a book of its own. A token is made for
// one share; taking one back needs no word about which.

import { UsageError } from '@mcp-overlay/cli';
import type { GatewayConfig, ResolveOptions } from '@mcp-overlay/config';
import type { TokenBook } from '@mcp-overlay/overlay';
import { openTokensOf, type Tokens, type TokensOptions, tokensOf } from './tokens.ts';

export interface ShareBooks {
  readonly own: TokenBook;
  /** By the name of the view. */
  readonly views: ReadonlyMap<string, { readonly share: string; readonly book: TokenBook }>;
}

/** undefined: the gateway's own share. */
export type TokensFor = (view: string | undefined) => Tokens;

/** `share`: the gateway's own, undefined if it is gone with its host. `before`: what is known of shares that go on. */
export async function openShareBooks(
  config: Pick<GatewayConfig, 'tokens'> & { readonly policy?: GatewayConfig['policy'] | undefined },
  share: string | undefined,
  secrets: ResolveOptions,
  before?: ShareBooks,
): Promise<ShareBooks> {
  const known = new Map([...(before?.views.values() ?? [])].map(({ share, book }) => [share, book]));
  const views = new Map<string, { share: string; book: TokenBook }>();
  for (const { name, token } of config.policy?.views ?? []) {
    if (token === undefined) continue;
    views.set(name, { share: token, book: known.get(token) ?? (await openTokensOf(config, token, secrets)) });
  }
  return { own: before?.own ?? (await openTokensOf(config, share, secrets)), views };
}

/** `options.share`: as the gateway's own is called now. Throws `usage` for a view that has no share. */
export function tokensForShares({ own, views }: ShareBooks, options: Omit<TokensOptions, 'book'>): TokensFor {
  const others = [own, ...[...views.values()].map(({ book }) => book)];
  const of = (book: TokenBook, share: string): Tokens => {
    const tokens = tokensOf({ ...options, book, share });
    return {
      ...tokens,
      revoke: async (id) => {
        await Promise.all(others.map((other) => other !== book && other.revoke(id)));
        return tokens.revoke(id);
      },
    };
  };
  return (view) => {
    if (view === undefined) return of(own, options.share);
    const found = views.get(view);
    if (found) return of(found.book, found.share);
    const names = [...views.keys()].join(', ');
    throw new UsageError(
      `token: no view ${JSON.stringify(view)} has a share of its own`,
      names === '' ? 'views in the configuration say share: { token: … }' : `these have: ${names}`,
    );
  };
}
