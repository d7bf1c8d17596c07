// That a token is used by whom it is for. On a link: a signature by the key that its last block names, over this very
// connection, so that neither a copied token nor a copied proof is of use, and the key of a bearer never travels.

import { type KeyObject, sign, verify } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { BINDING_BYTES, type Occasion } from '../proof/proof.ts';
import type { SeenProofs } from '../proof/seen-proofs.ts';
import type { SealedBlock } from './block.ts';
import { fromBase64Url, lengthPrefixed } from './bytes.ts';
import { malformed } from './restriction.ts';
import type { Rights } from './rights.ts';
import { readBlocks } from './token.ts';

const DOMAIN = 'mcp-link/1 access';

/** In `proof.access` of the dialer's first line. */
export type AccessOnWire = {
  readonly blocks: readonly SealedBlock[];
  readonly binding: string;
  readonly signature: string;
};

export interface AccessProof {
  readonly blocks: readonly SealedBlock[];
  readonly binding: Buffer;
  readonly signature: Buffer;
}

export function proveAccess(
  blocks: readonly SealedBlock[],
  hash: Buffer,
  key: KeyObject,
  occasion: Occasion,
): AccessOnWire {
  return {
    blocks,
    binding: Buffer.from(occasion.binding).toString('base64url'),
    signature: sign(null, signedBytes(hash, occasion), key).toString('base64url'),
  };
}

/** Throws `access_malformed`, `access_too_large`, `access_too_long`. */
export function readAccessProof(value: Readonly<Record<string, unknown>>): AccessProof {
  const binding = fromBase64Url(value.binding);
  const signature = fromBase64Url(value.signature);
  if (binding?.length !== BINDING_BYTES || !signature) throw malformed('its proof cannot be read');
  return { blocks: readBlocks(value.blocks), binding, signature };
}

/** Throws `access_proof_wrong`, `access_proof_binding`, `access_proof_replayed`. */
export function checkPossession(
  { binding, signature }: AccessProof,
  rights: Rights,
  occasion: Occasion,
  seen: SeenProofs,
): void {
  const signedFor = (made: Uint8Array): boolean =>
    verify(null, signedBytes(rights.hash, { ...occasion, binding: made }), rights.key, signature);
  const [root] = rights.ids;
  if (!signedFor(binding)) {
    throw new OverlayError('access_proof_wrong', `access token ${root} came without its key`, {
      hint: 'it was copied, or a part of it was cut off',
    });
  }
  const ours = binding.equals(Buffer.from(occasion.binding));
  if (ours) {
    seen.add(signature);
    return;
  }
  if (seen.has(signature)) {
    throw new OverlayError(
      'access_proof_replayed',
      `a proof of access token ${root} was sent again, on a connection it was not made for`,
    );
  }
  throw new OverlayError('access_proof_binding', `the proof of access token ${root} was made for another connection`, {
    hint: 'somebody stands between the two ends, or carried the proof over',
  });
}

function signedBytes(hash: Buffer, { role, network, share, binding }: Occasion): Buffer {
  return lengthPrefixed([DOMAIN, role, network, share, binding, hash]);
}
