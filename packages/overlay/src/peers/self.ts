// Who we are on a network, as its other members see it, or why nobody there can know.

import { OverlayError } from '../errors.ts';
import type { Overlay } from '../overlay.ts';
import type { Credential } from '../proof/credential.ts';
import type { Named } from '../proof/naming.ts';
import { nameOfCredential } from '../proof/prove.ts';
import type { Grants } from './admission.ts';

export type Self = Named | { readonly unproven: string };

const NO_TRUST = 'no CA is trusted here that could say who this is; --trust FILE names one';

/** undefined: we have nothing to prove ourselves with. */
export async function ownIdentity({ proofs }: Overlay, now: number = Date.now()): Promise<Self | undefined> {
  const credential = await proofs?.credential();
  if (!proofs || !credential) return undefined;
  const trusted = await proofs.trust();
  if (trusted.length === 0) return { unproven: NO_TRUST };
  try {
    return nameOfCredential(credential, trusted, now);
  } catch (error) {
    if (!(error instanceof OverlayError)) throw error;
    return { unproven: error.message };
  }
}

/** Where the network itself vouches for its members, what nobody there could believe is not offered: such a member is
 *  unproven, and not somebody with a bad proof. */
export async function offered({ proofs }: Overlay, now: number): Promise<Credential | undefined> {
  const credential = await proofs?.credential();
  if (!proofs || !credential) return undefined;
  const trusted = await proofs.trust();
  if (!trusted.some(({ naming }) => naming === 'ziti')) return credential;
  try {
    nameOfCredential(credential, trusted, now);
    return credential;
  } catch (error) {
    const { code } = error as { code?: unknown };
    return code === 'proof_foreign' || code === 'proof_name_unvouched' ? undefined : credential;
  }
}

/** What a person should know before a share is hosted: who we are not, and grants that cannot mean what they say. */
export async function identityNotes(
  overlay: Overlay,
  grants: Grants,
  hosts: readonly string[] = [],
): Promise<string[]> {
  const notes: string[] = [];
  const self = await ownIdentity(overlay);
  if (self && 'unproven' in self) notes.push(`nobody can know who this host is: ${self.unproven}`);
  if (hosts.length > 0 && !(self && 'id' in self)) {
    notes.push('share.hosts says nothing to anybody: a host that proves nothing vouches for nobody');
  }
  const trusted = (await overlay.proofs?.trust()) ?? [];
  if (trusted.length === 0 && (grants.ids.size > 0 || grants.network)) {
    notes.push(
      'grants name identities, and no proof can be checked: name a CA with trust in the configuration or --trust',
    );
  }
  if (grants.accounts.length > 0 && overlay.kind !== 'zrok') {
    notes.push(`grants name e-mails, which are accounts of zrok; on ${overlay.kind} they mean nobody`);
  }
  if (grants.unproven && overlay.kind !== 'local') notes.push('grants let in every caller without a proof (unproven)');
  return notes;
}
