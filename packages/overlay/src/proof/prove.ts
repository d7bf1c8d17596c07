// Makes and judges proofs. A proof is the certificate chain of its maker and a signature over the one connection it is
// for; made by whoever has the key, at the end of that connection, and by nobody else.
// Judging, in this order: form and sizes · keys · chain, dates, revocation · what the certificate is for · the name ·
// the connection · the signature. What is cheap and what a stranger can inflate comes first.

import {
  constants,
  type KeyObject,
  type SignKeyObjectInput,
  sign,
  type VerifyKeyObjectInput,
  verify,
} from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { anchorOf } from '../x509/path.ts';
import type { Credential } from './credential.ts';
import { type Named, nameOf } from './naming.ts';
import { type Occasion, type ProofOnWire, readProof, signedBytes } from './proof.ts';
import type { SeenProofs } from './seen-proofs.ts';
import type { TrustBundle } from './trust.ts';

export interface Proven extends Named {
  /** Identities that a host named besides itself. */
  readonly hosts: readonly string[];
  /** What it was judged by, to be judged by again. */
  readonly chain: readonly Certificate[];
  /** Until when its certificates and their CA are taken; milliseconds since the epoch. */
  readonly until: number;
}

export interface JudgeOptions {
  readonly trusted: readonly TrustBundle[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly seen?: SeenProofs;
}

/** `hosts`: a host's list of the others. */
export function makeProof({ chain, key }: Credential, occasion: Occasion, hosts: readonly string[] = []): ProofOnWire {
  return {
    chain: chain.map((der) => der.toString('base64')),
    binding: Buffer.from(occasion.binding).toString('base64'),
    signature: sign(hashFor(key), signedBytes(occasion), padded(key)).toString('base64'),
    ...(hosts.length > 0 && { hosts }),
  };
}

/** Who made it, on this occasion. Throws an OverlayError of which each code says what is wrong. */
export function judgeProof(
  value: Readonly<Record<string, unknown>>,
  occasion: Occasion,
  options: JudgeOptions,
): Proven {
  const { trusted, now, seen } = options;
  const proof = readProof(value);
  const [leaf] = proof.chain;
  // readProof has seen to it.
  if (!leaf) throw new OverlayError('proof_malformed', 'the proof has no certificate');
  const { anchor, among, until } = anchorOf(proof.chain, trusted, now);
  const named = nameOf(leaf, anchor, among);
  const key = leaf.key();
  const signedFor = (binding: Uint8Array): boolean =>
    verify(hashFor(key), signedBytes({ ...occasion, binding }), padded(key), proof.signature);
  if (!proof.binding.equals(occasion.binding)) {
    if (!signedFor(proof.binding)) throw wrongSignature(named);
    if (seen?.has(proof.binding)) {
      throw new OverlayError(
        'proof_replayed',
        `a proof of ${named.id} was sent again, on a connection it was not made for`,
      );
    }
    throw new OverlayError('proof_binding', `the proof of ${named.id} was made for another connection`, {
      hint: 'somebody stands between the two ends, or carried the proof over',
    });
  }
  if (!signedFor(occasion.binding)) throw wrongSignature(named);
  seen?.add(proof.binding);
  return { ...named, hosts: proof.hosts, chain: proof.chain, until };
}

/** Whether a chain that was good names the same still: its CA may be gone, or have revoked it. `now` undefined: whatever the
 *  clock says. Gives until when. Throws as `judgeProof` does. */
export function judgeAgain(
  chain: readonly Certificate[],
  id: string,
  trusted: readonly TrustBundle[],
  now?: number,
): number {
  const { anchor, among, until } = anchorOf(chain, trusted, now);
  const [leaf] = chain;
  if (leaf && nameOf(leaf, anchor, among).id === id) return until;
  throw new OverlayError('proof_name_unvouched', `nobody vouches for the name ${id} any more`);
}

/** Who this credential proves to whoever trusts the same. Throws as `judgeProof` does. */
export function nameOfCredential({ chain }: Credential, trusted: readonly TrustBundle[], now: number): Named {
  const read = chain.map((der, at) => readCertificate(der, `certificate ${at + 1} of the identity`));
  const { anchor, among } = anchorOf(read, trusted, now);
  const [leaf] = read;
  if (!leaf) throw new OverlayError('proof_malformed', 'the identity has no certificate');
  return nameOf(leaf, anchor, among);
}

function wrongSignature({ id }: Named): OverlayError {
  return new OverlayError('proof_signature', `the signature of the proof is not one of ${id} for this role and share`, {
    hint: 'the certificate was copied without its key, or the two ends name the share differently',
  });
}

/** The algorithm follows from the key: as strong as the curve. */
function hashFor({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | null {
  if (asymmetricKeyType === 'ed25519') return null;
  if (asymmetricKeyDetails?.namedCurve === 'secp384r1') return 'sha384';
  return asymmetricKeyDetails?.namedCurve === 'secp521r1' ? 'sha512' : 'sha256';
}

/** RSA: PSS with a salt as long as the hash (RFC 8017 9.1). The other kinds have no choice to make. */
function padded(key: KeyObject): SignKeyObjectInput & VerifyKeyObjectInput {
  if (key.asymmetricKeyType !== 'rsa') return { key };
  return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
}
