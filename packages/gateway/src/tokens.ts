// Access tokens of a gateway's share: made, shown, taken back. By a running gateway for whoever asks over its admin socket,
// or by a command beside it; both on the same files.

import { UsageError } from '@mcp-overlay/cli';
import { DEFAULTS, type GatewayConfig, type ResolveOptions, resolveSecret } from '@mcp-overlay/config';
import {
  keyFromPem,
  keyFromText,
  keyText,
  mintToken,
  openTokenBook,
  type Restriction,
  type TokenBook,
  type TokenRecord,
  tokenText,
} from '@mcp-overlay/overlay';

/** As a command asks for it. */
export interface MintRequest {
  readonly name?: string | undefined;
  readonly roles?: readonly string[] | undefined;
  readonly only?: Restriction | undefined;
  readonly ttlMs?: number | undefined;
  /** Public key of whom it is for; absent: a bearer. */
  readonly holder?: string | undefined;
}

export interface MintedToken {
  /** Secret. */
  readonly token: string;
  readonly record: TokenRecord;
}

export interface TokenView extends TokenRecord {
  readonly revoked?: string;
}

export interface Tokens {
  mint(request: MintRequest): Promise<MintedToken>;
  /** Latest first. */
  list(): Promise<readonly TokenView[]>;
  /** Resolves when its sessions, and those of what was made from it, are over too. */
  revoke(id: string): Promise<{ readonly id: string; readonly revoked: string }>;
}

export interface TokensOptions {
  readonly book: TokenBook;
  readonly network: string;
  readonly share: string;
  readonly maxTtlMs?: number | undefined;
  /** What the rules know; absent: there are none. */
  readonly roles?: readonly string[] | undefined;
  onRevoked?(): Promise<void>;
  /** Puts it on record. */
  record?(what: string, id: string): Promise<void>;
}

const TTL_MS = 8 * 3600 * 1000;

export function tokensOf({
  book,
  network,
  share,
  maxTtlMs = DEFAULTS.maxTtlMs,
  roles,
  onRevoked,
  record: onRecord = async () => {},
}: TokensOptions): Tokens {
  return {
    mint: async ({ name, roles: asked, only, ttlMs = TTL_MS, holder }) => {
      if (ttlMs > maxTtlMs) {
        throw new UsageError('token mint: --ttl is longer than tokens.max_ttl of the configuration');
      }
      refuseRoles(asked ?? [], roles);
      const now = Date.now();
      const { token, rights } = mintToken({
        signer: await book.keyToMint(),
        network,
        share,
        name: name ?? 'token',
        from: now,
        until: now + ttlMs,
        roles: asked,
        only,
        holder: holder === undefined ? undefined : keyFromText(holder),
      });
      const record: TokenRecord = {
        id: rights.ids[0],
        name: rights.name,
        ...(asked && { roles: asked }),
        ...(only && { only }),
        ...(holder !== undefined && { holder: keyText(rights.key) }),
        minted: new Date(now).toISOString(),
        until: new Date(rights.expiresAt).toISOString(),
      };
      await onRecord('token mint', record.id);
      await book.keep(record);
      return { token: tokenText(token), record };
    },
    list: async () => {
      const gone = new Map((await book.revocations()).map(({ id, at }) => [id, at]));
      return (await book.list()).map((record) => {
        const revoked = gone.get(record.id);
        return revoked === undefined ? record : { ...record, revoked };
      });
    },
    revoke: async (id) => {
      const { at } = await book.revoke(id);
      await Promise.all([onRevoked?.(), onRecord('token revoke', id).catch(() => {})]);
      return { id, revoked: at };
    },
  };
}

/** The tokens of a share; its key where the configuration says it is. `share` undefined: gone with its host. */
export function openTokensOf(
  { tokens: { key } }: Pick<GatewayConfig, 'tokens'>,
  share: string | undefined,
  secrets: ResolveOptions,
): Promise<TokenBook> {
  const keyFrom = key && (async () => (await resolveSecret(key, secrets)).use((pem) => keyFromPem(pem, key.text)));
  return openTokenBook({ share, env: secrets.env, keyFrom });
}

function refuseRoles(asked: readonly string[], known: readonly string[] | undefined): void {
  const [unknown] = asked.filter((role) => !(known ?? []).includes(role));
  if (unknown === undefined) return;
  throw new UsageError(
    known
      ? `token mint: there is no role ${unknown}`
      : 'token mint: the configuration has no roles, so a token cannot name one',
    known ? `one of: ${known.join(', ')}` : '--tools, --prompts, --resources and --backend restrict it without roles',
  );
}
