// Makes tokens: a first block by whoever has the gateway's key, a further one by whoever has the token's. Nobody is asked.

import { type KeyObject, randomBytes } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { ACCESS_LIMITS } from '../limits.ts';
import type { Restriction } from '../proof/principal.ts';
import { sealBlock } from './block.ts';
import { newKey, publicBytes } from './keys.ts';
import { readRestriction, tooLarge } from './restriction.ts';
import { narrowed, type Rights, rightsOf } from './rights.ts';
import { type AccessToken, readBlocks, tokenText } from './token.ts';

export interface MintOptions {
  /** The gateway's token key. */
  readonly signer: KeyObject;
  readonly network: string;
  readonly share: string;
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
  readonly roles?: readonly string[] | undefined;
  readonly only?: Restriction | undefined;
  /** Public key of whom it is for; undefined: a bearer, whoever has it may use it. */
  readonly holder?: KeyObject | undefined;
}

export interface Minted {
  readonly token: AccessToken;
  readonly rights: Rights;
}

/** Throws what its reader would. */
export function mintToken(options: MintOptions): Minted {
  const { signer, network, share, name, from, until, roles, only, holder } = options;
  const key = holder ?? newKey();
  const block = {
    at: 0,
    network,
    share,
    name,
    nonce: randomBytes(16).toString('base64url'),
    from: Math.floor(from / 1000),
    until: Math.floor(until / 1000),
    ...(roles && { roles }),
    ...(only && { only: readRestriction(only) }),
    key,
  } as const;
  const blocks = [sealBlock(block, undefined, signer)];
  return checked({ blocks, ...(!holder && { key }) }, rightsOf(blocks, { gateway: undefined }));
}

export interface NarrowOptions {
  readonly only?: Restriction | undefined;
  /** Milliseconds since the epoch; one that is later than the token's own changes nothing. */
  readonly until?: number | undefined;
  /** Who may use the result. Default: as before, whoever has it, or its holder. */
  readonly next?: { readonly holder: KeyObject } | 'bearer' | undefined;
  /** Private key of the token's holder; a bearer brings its own. */
  readonly key?: KeyObject | undefined;
  /** What the token gives, from whoever has read it already: each of its blocks costs a signature to check. */
  readonly rights?: Rights | undefined;
}

/** A weaker token, made offline. Throws `access_key_missing`, `access_key_invalid`, `access_too_long`, `access_too_large`. */
export function narrowToken(token: AccessToken, options: NarrowOptions): Minted {
  const { only, until, next } = options;
  const parent = options.rights ?? rightsOf(token.blocks, { gateway: undefined });
  const signer = signerOf(token, parent, options.key);
  const holder = holderOf(next ?? (token.key ? 'bearer' : { holder: parent.key }));
  const nextKey = holder ?? newKey();
  const block = {
    at: token.blocks.length,
    ...(until !== undefined && { until: Math.floor(until / 1000) }),
    ...(only && { only: readRestriction(only) }),
    key: nextKey,
  };
  const sealed = sealBlock(block, parent.hash, signer);
  const narrow = { blocks: [...token.blocks, sealed], ...(!holder && { key: nextKey }) };
  return checked(narrow, narrowed(parent, sealed));
}

function holderOf(next: Exclude<NarrowOptions['next'], undefined>): KeyObject | undefined {
  return next === 'bearer' ? undefined : next.holder;
}

/** The private key that the last block names. Throws `access_key_missing`, `access_key_invalid`, `access_cut`. */
export function signerOf(token: AccessToken, rights: Rights, given: KeyObject | undefined): KeyObject {
  const own = publicBytes(rights.key);
  if (token.key) {
    if (publicBytes(token.key).equals(own)) return token.key;
    throw new OverlayError(
      'access_cut',
      'the key that travels with the access token is not the one its last block names',
      {
        hint: 'a part of it was cut off; take it whole, as it was printed',
      },
    );
  }
  if (!given) {
    throw new OverlayError('access_key_missing', `access token ${rights.ids[0]} is for the holder of a key`, {
      hint: 'name the key with --access-key file:FILE',
    });
  }
  if (publicBytes(given).equals(own)) return given;
  throw new OverlayError(
    'access_key_invalid',
    `access token ${rights.ids[0]} is for another key than the one that --access-key names`,
  );
}

/** What is handed out can be read by whoever gets it. */
function checked(token: AccessToken, rights: Rights): Minted {
  const text = tokenText(token);
  readBlocks(token.blocks);
  if (text.length > ACCESS_LIMITS.tokenBytes) throw tooLarge(`it has ${text.length} characters`);
  return { token, rights };
}
