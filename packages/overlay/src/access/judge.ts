// A host's judgement of a token: whose it is, what it may, and whether that still stands later. Where it sits: the gate asks
// for each connection (peers/gate.ts), and again and again for each live session.

import type { KeyObject } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import type { Principal } from '../proof/principal.ts';
import type { Occasion } from '../proof/proof.ts';
import type { SeenProofs } from '../proof/seen-proofs.ts';
import type { Issuers } from './issuers.ts';
import { publicBytes } from './keys.ts';
import { signerOf } from './mint.ts';
import { type AccessProof, checkPossession, readAccessProof } from './possession.ts';
import { malformed } from './restriction.ts';
import { checkRights, type Rights, rightsOf } from './rights.ts';
import { type AccessToken, readToken, TOKEN_MARK } from './token.ts';
import type { TokenBook } from './token-book.ts';

export interface AccessOptions {
  /** Of this share. */
  readonly book: TokenBook;
  /** Whose JWTs are believed. */
  readonly issuers?: Issuers | undefined;
  /** Whether there are rules that know roles; else a token that names some is refused. */
  readonly rules: boolean;
}

export interface Judged {
  readonly who: Pick<Principal, 'id' | 'name' | 'groups' | 'roles' | 'restrictions' | 'expiresAt' | 'stamp'>;
  /** The operator made it for this share: that lets in. */
  readonly admitted: boolean;
  /** Throws with why it does not stand any more. */
  again(now: number): Promise<void>;
}

export interface Place {
  readonly network: string;
  readonly share: string;
}

/** What a dialer says it has, to be asked for. */
export const ANNOUNCED = 'bearer';

/** `offer`: what stood under `access`. Throws an OverlayError of which each code says what is wrong. */
export async function judgeAccess(
  offer: unknown,
  place: Place,
  occasion: Occasion | undefined,
  { options, now, seen }: { readonly options: AccessOptions; readonly now: number; readonly seen: SeenProofs },
): Promise<Judged> {
  if (typeof offer !== 'object' || offer === null) throw malformed('what was sent is none');
  const { bearer } = offer as { bearer?: unknown };
  if (bearer !== undefined && typeof bearer !== 'string') throw malformed('what was sent is none');
  if (bearer !== undefined && !bearer.startsWith(TOKEN_MARK)) return judgeJwt(bearer, options, now);
  const given = bearer === undefined ? readAccessProof(offer as Record<string, unknown>) : readToken(bearer);
  const gateway = await gatewayKey(options.book);
  const rights = rightsOf(given.blocks, { gateway });
  if ('binding' in given) checkOverLink(given, rights, occasion, seen);
  else checkBearer(given, rights);
  const again = async (at: number): Promise<void> => {
    if (!publicBytes(await gatewayKey(options.book)).equals(publicBytes(gateway))) {
      throw new OverlayError('access_foreign', 'the key of this gateway has changed since the access token was made');
    }
    const revoked = new Set((await options.book.revocations()).map(({ id }) => id));
    checkRights(rights, { ...place, now: at, revoked: (id) => revoked.has(id) });
  };
  await again(now);
  const { ids, name, roles, restrictions, expiresAt } = rights;
  if (!options.rules && (roles !== undefined || restrictions.some((one) => one.roles !== undefined))) {
    throw new OverlayError(
      'access_roles_unknown',
      `access token ${ids[0]} names roles, and this gateway has no rules`,
      {
        hint: 'its operator adds roles to the configuration, or mints one without --role',
      },
    );
  }
  const last = ids.at(-1);
  const narrowed = last !== ids[0];
  return {
    who: {
      id: narrowed ? `token:${ids[0]}/${last}` : `token:${ids[0]}`,
      name: narrowed ? `${name} (narrowed)` : name,
      groups: [],
      ...(roles && { roles }),
      ...(restrictions.length > 0 && { restrictions }),
      expiresAt,
    },
    admitted: true,
    again,
  };
}

async function judgeJwt(text: string, { issuers }: AccessOptions, now: number): Promise<Judged> {
  if (!issuers) {
    throw new OverlayError('jwt_issuer', 'this gateway believes no issuer of tokens', {
      hint: 'its operator names some under issuers in the configuration',
    });
  }
  const { who, again } = await issuers.judge(text, now);
  return { who, admitted: false, again };
}

async function gatewayKey(book: TokenBook): Promise<KeyObject> {
  const key = await book.key();
  if (key) return key;
  throw new OverlayError('access_foreign', 'the access token is not from this gateway, which has made none');
}

function checkOverLink(given: AccessProof, rights: Rights, occasion: Occasion | undefined, seen: SeenProofs): void {
  if (!occasion) throw new OverlayError('proof_unbound', 'an access token came on a connection that cannot carry one');
  checkPossession(given, rights, occasion, seen);
}

/** Whoever has it whole has its key. */
function checkBearer(token: AccessToken, rights: Rights): void {
  if (token.key) {
    signerOf(token, rights, undefined);
    return;
  }
  throw new OverlayError(
    'access_proof_missing',
    `access token ${rights.ids[0]} is for the holder of a key, and came without a proof of it`,
    {
      hint: 'such a token works over a link only: use mcp-tools with --access-key',
    },
  );
}
