// What a token gives: its blocks judged one after the other. Where it stands: whoever came with it has not yet shown that
// it is his (./possession.ts). Invariant: a further block takes rights away or leaves them, it never adds one.

import type { KeyObject } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { PROOF_LIMITS } from '../limits.ts';
import type { Restriction } from '../proof/principal.ts';
import { hashOf, idOf, isSealedBy, type RootBlock, readBlock, readRoot, type SealedBlock } from './block.ts';

export interface Rights {
  /** Of every block, the gateway's first: revoking one revokes what was made from it. */
  readonly ids: readonly [string, ...string[]];
  readonly name: string;
  readonly roles?: readonly string[];
  readonly restrictions: readonly Restriction[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly expiresAt: number;
  readonly network: string;
  readonly share: string;
  /** Public; whoever uses the token has its private part. */
  readonly key: KeyObject;
  /** What the next block is tied to, and what a proof of possession names. */
  readonly hash: Buffer;
}

export interface RightsOptions {
  /** Whose first blocks are believed; undefined: nobody looks (whoever narrows a token need not know). */
  readonly gateway: KeyObject | undefined;
}

/** Signatures and order; dates, revocation and place are `checkRights`. Throws `access_malformed`, `access_order`,
 *  `access_foreign`, `access_signature` and what `readBlock` throws. */
export function rightsOf(blocks: readonly SealedBlock[], { gateway }: RightsOptions): Rights {
  const [first, ...others] = blocks;
  // readBlocks has seen to it.
  if (!first) throw new OverlayError('access_malformed', 'the access token has no block');
  const root = rootOf(first);
  if (gateway && !isSealedBy(first, undefined, gateway)) throw foreign();
  const { name, roles, network, share, key, only, from, until } = root;
  const hash = hashOf(first, undefined);
  const rights: Rights = {
    ids: [idOf(hash)],
    name,
    ...(roles && { roles }),
    restrictions: only ? [only] : [],
    notBefore: from * 1000,
    expiresAt: until * 1000,
    network,
    share,
    key,
    hash,
  };
  return others.reduce(narrowed, rights);
}

/** What is left with one block more. Throws as `rightsOf`. */
export function narrowed(rights: Rights, sealed: SealedBlock): Rights {
  const place = rights.ids.length;
  const [payload] = sealed;
  if (placeOf(payload) !== place) throw order();
  const { only, from = 0, until = Number.POSITIVE_INFINITY, key } = readBlock(payload);
  if (!isSealedBy(sealed, rights.hash, rights.key)) {
    throw new OverlayError(
      'access_signature',
      `block ${place + 1} of the access token is not signed by the key that the block before names`,
      { hint: 'whoever added it had not the key of the token' },
    );
  }
  const hash = hashOf(sealed, rights.hash);
  return {
    ...rights,
    ids: [...rights.ids, idOf(hash)],
    restrictions: only ? [...rights.restrictions, only] : rights.restrictions,
    notBefore: Math.max(rights.notBefore, from * 1000),
    expiresAt: Math.min(rights.expiresAt, until * 1000),
    key,
    hash,
  };
}

export interface Circumstances {
  readonly network: string;
  readonly share: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whether a block of this id is revoked. */
  revoked(id: string): boolean;
}

/** Throws `access_elsewhere`, `access_revoked`, `access_expired`, `access_not_yet_valid`. */
export function checkRights(rights: Rights, { network, share, now, revoked }: Circumstances): void {
  const [root] = rights.ids;
  if (rights.network !== network || rights.share !== share) {
    throw new OverlayError(
      'access_elsewhere',
      `access token ${root} is for share ${rights.share} on ${rights.network}`,
    );
  }
  const gone = rights.ids.find(revoked);
  if (gone !== undefined) {
    const which =
      gone === rights.ids.at(-1)
        ? `access token ${gone} was revoked`
        : `access token ${gone}, from which this one was made, was revoked`;
    throw new OverlayError('access_revoked', which, { hint: 'ask whoever gave it to you for another' });
  }
  if (now >= rights.expiresAt) {
    throw new OverlayError(
      'access_expired',
      `access token ${root} was good until ${new Date(rights.expiresAt).toISOString()}`,
      {
        hint: 'ask for another, or is a clock wrong?',
      },
    );
  }
  if (now < rights.notBefore - PROOF_LIMITS.clockSkewMs) {
    throw new OverlayError(
      'access_not_yet_valid',
      `access token ${root} is good from ${new Date(rights.notBefore).toISOString()} on`,
    );
  }
}

function rootOf([payload]: SealedBlock): RootBlock {
  if (placeOf(payload) !== 0) throw order();
  return readRoot(payload);
}

/** Before anything else is said of a block: one that stands elsewhere is no malformed one. */
function placeOf(payload: string): unknown {
  try {
    return (JSON.parse(payload) as { at?: unknown } | null)?.at ?? 'none';
  } catch {
    return readBlock(payload);
  }
}

function order(): OverlayError {
  return new OverlayError('access_order', 'the blocks of the access token are not in their order, or one is missing');
}

function foreign(): OverlayError {
  return new OverlayError('access_foreign', 'the access token is not from this gateway', {
    hint: 'it was made by another one, or its key has changed since',
  });
}
