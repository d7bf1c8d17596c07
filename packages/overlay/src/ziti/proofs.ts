// How members of an OpenZiti network prove who they are: with a certificate that names them as their controller does. That
// of the identity file where it does (networks from 2.0 on), else one of the present login (decisions/050).
// Believed is the network's CA, as the identity file has it, and whatever was named besides.

import { createPrivateKey } from 'node:crypto';
import { OverlayError } from '../errors.ts';
import { type OverlayLog, SILENT } from '../log.ts';
import { type Credential, credentialOf } from '../proof/credential.ts';
import { nameOfCredential } from '../proof/prove.ts';
import { type ProofSettings, trustFiles } from '../proof/settings.ts';
import { networkTrust, type TrustBundle } from '../proof/trust.ts';
import { pemBlocks } from '../x509/pem.ts';
import type { ZitiNetwork } from './network.ts';

export interface ZitiProofsOptions {
  readonly network: ZitiNetwork;
  /** Which OpenZiti network it is, in `known-shares`. */
  readonly realm: string;
  /** Names of files with CAs to believe besides the network's. */
  readonly trust?: readonly string[] | undefined;
  readonly log?: OverlayLog | undefined;
  readonly now?: () => number;
}

/** A certificate of the login that was refused is asked for again by then; one that could not be asked for, soon. */
const ASK_AGAIN_MS = 60_000;
const TROUBLE_MS = 2000;

/** Rejects `trust_invalid`. */
export async function zitiProofs(options: ZitiProofsOptions): Promise<ProofSettings> {
  const { network, realm, trust = [], log = SILENT, now = Date.now } = options;
  const { identity } = network;
  const ofNetwork = networkTrust(identity.caPem);
  const besides = await trustFiles(trust, log);
  const enrolled = readCredential(identity.certPem, identity.keyPem);
  const isNamed = enrolled !== undefined && isVouchedFor(enrolled, ofNetwork);
  let askAgainAt = 0;

  const ofLogin = async (): Promise<Credential | undefined> => {
    if (now() < askAgainAt) return undefined;
    try {
      const { certPem, key } = await network.sessionCertificate();
      return readCredential(certPem, key.export({ type: 'pkcs8', format: 'pem' }).toString());
    } catch (error) {
      const passing = error instanceof OverlayError && error.code === 'network_unreachable';
      askAgainAt = now() + (passing ? TROUBLE_MS : ASK_AGAIN_MS);
      log.warn({ error: (error as Error).message }, 'no certificate of this login, so nobody can know who we are');
      return undefined;
    }
  };
  return {
    network: 'ziti',
    realm,
    credential: async () => (isNamed ? enrolled : ((await ofLogin()) ?? enrolled)),
    trust: async () => [...ofNetwork, ...(await besides())],
  };
}

/** undefined for what cannot be a credential: a key of a kind that nobody believes. */
function readCredential(certPem: string, keyPem: string): Credential | undefined {
  const certificates = pemBlocks(certPem).filter(({ label }) => label === 'CERTIFICATE');
  try {
    return credentialOf(
      certificates.map(({ der }) => der),
      createPrivateKey(keyPem),
      'the identity',
    );
  } catch (error) {
    if (error instanceof OverlayError) return undefined;
    throw error;
  }
}

/** Expired is vouched for, too: the other end says that it is expired. */
function isVouchedFor(credential: Credential, trusted: readonly TrustBundle[]): boolean {
  try {
    nameOfCredential(credential, trusted, Date.now());
    return true;
  } catch (error) {
    const { code } = error as { code?: unknown };
    return code !== 'proof_foreign' && code !== 'proof_name_unvouched';
  }
}
