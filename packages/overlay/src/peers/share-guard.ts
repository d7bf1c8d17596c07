// The dialer's side of proofs, for one share: proves who we are, checks who hosts it, and holds it to the host it was
// first seen with. A share that proved itself once never goes on without a proof, nor over HTTP, which has none.

import type { Duplex } from 'node:stream';
import { type AccessSource, presentAccess, tellAccess } from '../access/present.ts';
import { OverlayError } from '../errors.ts';
import type { Overlay } from '../overlay.ts';
import type { Occasion, Role } from '../proof/proof.ts';
import { judgeProof, makeProof } from '../proof/prove.ts';
import { type KnownShare, knownShares, type ShareKey } from './known-shares.ts';
import { offered } from './self.ts';

export interface ShareGuard {
  /** What to offer on this connection; null: nothing. With a token it is that and nothing else. */
  prove(connection: Duplex): Promise<Offer | null>;
  /** Before anything is said over it. Rejects with an OverlayError that says why this host is not to be trusted. `as`: whom
   *  it takes us for. */
  verify(connection: Duplex, proof: Readonly<Record<string, unknown>> | null, as?: string): Promise<void>;
  /** The token that was announced, for a host that proves itself. */
  tell?(connection: Duplex, proof: Readonly<Record<string, unknown>> | null): Promise<Offer>;
  /** The host speaks HTTP. Rejects `host_downgraded` where it once proved itself. */
  plain(): Promise<void>;
}

/** As JSON in a preamble. */
export type Offer = Readonly<Record<string, unknown>>;

export interface ShareGuardOptions {
  readonly overlay: Overlay;
  readonly share: string;
  readonly env: NodeJS.ProcessEnv;
  /** A token to come with, in place of our identity. */
  readonly access?: AccessSource | undefined;
  readonly log: { info(fields: object, event: string): void; warn(fields: object, event: string): void };
  readonly now?: () => number;
}

export function shareGuard({ overlay, share, env, access, log, now = Date.now }: ShareGuardOptions): ShareGuard {
  const { proofs } = overlay;
  const key = shareKey(overlay, share);
  const shares = knownShares(env);
  const check: ShareGuard['verify'] = async (connection, proof) => {
    const trusted = (await proofs?.trust()) ?? [];
    // The folder is what is trusted here; whoever names no CA asks for nothing more.
    if (trusted.length === 0 && overlay.kind === 'local') return;
    const known = await shares.find(key);
    if (proof === null) {
      if (known) throw unproven(known);
      if (overlay.kind !== 'local') log.warn({ share }, 'host proves nothing');
      return;
    }
    if (trusted.length === 0) {
      if (known) throw unchecked(known);
      return;
    }
    const occasion = occasionOf(overlay, 'host', share, connection);
    if (!occasion) throw unbound(share);
    const host = judgeProof(proof, occasion, { trusted, now: now() });
    const first = pinned(known, host, key, now());
    if (first.next === known && !first.refused) return;
    let refused: OverlayError | undefined;
    await shares.update(key, (current) => {
      const judged = pinned(current, host, key, now());
      refused = judged.refused;
      return judged.next;
    });
    if (refused) throw refused;
    if (!known) log.info({ share, host: host.id }, 'host pinned');
  };
  return {
    prove: async (connection) => {
      const occasion = occasionOf(overlay, 'dialer', share, connection);
      if (access) return { access: await presentAccess(access, occasion) };
      const credential = occasion && (await offered(overlay, now()));
      return occasion && credential ? makeProof(credential, occasion) : null;
    },
    verify: async (connection, proof, as) => {
      await check(connection, proof);
      if (access && as === undefined) throw ignored(share);
    },
    ...(access && {
      tell: async (connection, proof) => {
        await check(connection, proof);
        // On local the folder is the proof; elsewhere whoever proves nothing is nobody in particular.
        if (proof === null && overlay.kind !== 'local') throw toNobody(share);
        return tellAccess(access);
      },
    }),
    plain: async () => {
      const known = await shares.find(key);
      if (known) throw downgraded(known);
      if (access) throw ignored(share);
    },
  };
}

/** Under what a share's host is remembered. */
export function shareKey({ kind, proofs }: Overlay, share: string): ShareKey {
  return { network: proofs?.network ?? kind, realm: proofs?.realm ?? '', share };
}

/** undefined on a connection that has no binding. */
export function occasionOf(overlay: Overlay, role: Role, share: string, connection: Duplex): Occasion | undefined {
  const { binding } = connection as { binding?: Uint8Array | null };
  if (!binding) return undefined;
  return { role, network: overlay.proofs?.network ?? overlay.kind, share, binding };
}

/** What is remembered after this host came, and why it is refused. The pinned host alone says who the others are. */
function pinned(
  known: KnownShare | undefined,
  host: { readonly id: string; readonly name: string; readonly hosts: readonly string[] },
  key: ShareKey,
  now: number,
): { readonly next: KnownShare; readonly refused?: OverlayError } {
  const at = new Date(now).toISOString();
  const { id, name } = host;
  if (!known) return { next: { ...key, id, name, hosts: host.hosts, since: at, used: at } };
  if (id !== known.id && !known.hosts.includes(id)) {
    const again = known.changed?.id === id;
    return { next: again ? known : { ...known, changed: { id, name, at } }, refused: changed(known, id) };
  }
  const hosts = id === known.id ? host.hosts : known.hosts;
  const today = known.used.slice(0, 10) === at.slice(0, 10);
  if (today && hosts.join('\n') === known.hosts.join('\n')) return { next: known };
  return { next: { ...known, hosts, used: at } };
}

function changed({ share, id, since }: KnownShare, now: string): OverlayError {
  const text = `share ${share} was hosted by ${id} since ${since.slice(0, 10)}, and now by ${now}`;
  return new OverlayError('host_changed', text, {
    hint: `if you know that this is right: mcp-tools trust ${share}`,
  });
}

function unproven({ share, id }: KnownShare): OverlayError {
  return new OverlayError('host_unproven', `the host of share ${share} proves nothing, and was ${id} before`, {
    hint: `if you know that this is right: mcp-tools trust ${share} --forget`,
  });
}

function unchecked({ share, id }: KnownShare): OverlayError {
  const text = `share ${share} is known to be hosted by ${id}, and without a CA to trust its proof cannot be checked`;
  return new OverlayError('host_unchecked', text, { hint: 'name the CA with --trust FILE, as before' });
}

function downgraded({ share, id }: KnownShare): OverlayError {
  const text = `share ${share} proved to be hosted by ${id} before, and now answers plain HTTP, which proves nothing`;
  return new OverlayError('host_downgraded', text, {
    hint: `if its host was really replaced by another program: mcp-tools trust ${share} --forget`,
  });
}

function ignored(share: string): OverlayError {
  return new OverlayError('access_ignored', `the host of share ${share} does not know access tokens`, {
    hint: 'it is an older program; come without --access',
  });
}

function toNobody(share: string): OverlayError {
  const text = `the host of share ${share} proves nothing, so the token is not sent to it`;
  return new OverlayError('access_host_unproven', text, {
    hint: 'its host needs an identity of the network; or use a token of the gateway, which is not sent',
  });
}

function unbound(share: string): OverlayError {
  return new OverlayError(
    'proof_unbound',
    `the host of share ${share} sent a proof on a connection that cannot carry one`,
  );
}
