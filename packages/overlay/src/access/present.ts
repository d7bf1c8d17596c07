// A dialer's token: read anew for each connection, for it may be short-lived and its file replaced. A token of ours is shown
// by a signature over the connection; its key, and a JWT, go to nobody who has not proved himself.

import type { KeyObject } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import type { Occasion } from '../proof/proof.ts';
import { ANNOUNCED } from './judge.ts';
import { keyFromPem } from './keys.ts';
import { signerOf } from './mint.ts';
import { proveAccess } from './possession.ts';
import { rightsOf } from './rights.ts';
import { readToken, TOKEN_MARK } from './token.ts';

/** A secret that shows itself to nobody by accident. */
export interface Sealed {
  use<T>(fn: (value: Buffer) => T): T;
}

export interface AccessSecret {
  readonly token: Sealed;
  /** PEM of the holder's key. */
  readonly key?: Sealed | undefined;
}

/** Asked for each connection. */
export type AccessSource = () => Promise<AccessSecret>;

/** What stands under `access` in the dialer's proof. Throws what is wrong with the token, `proof_unbound`. */
export async function presentAccess(source: AccessSource, occasion: Occasion | undefined): Promise<unknown> {
  const secret = await source();
  const text = textOf(secret);
  if (!text.startsWith(TOKEN_MARK)) return ANNOUNCED;
  const { token, rights, key } = opened(text, secret.key);
  if (!occasion) throw new OverlayError('proof_unbound', 'this connection cannot carry the proof of an access token');
  return proveAccess(token.blocks, rights.hash, key, occasion);
}

/** What is told to a host that proved itself and asks. */
export async function tellAccess(source: AccessSource): Promise<{ readonly access: { readonly bearer: string } }> {
  return { access: { bearer: textOf(await source()) } };
}

/** A token with the private key that its last block names. */
export function opened(text: string, keyPem: Sealed | undefined) {
  const token = readToken(text);
  const rights = rightsOf(token.blocks, { gateway: undefined });
  const given: KeyObject | undefined = keyPem?.use((pem) => keyFromPem(pem, 'what --access-key names'));
  return { token, rights, key: signerOf(token, rights, given) };
}

export function textOf({ token }: AccessSecret): string {
  return token.use((value) => value.toString('latin1').trim());
}
