// Overlays whose ends prove who they are, for tests: identities of a CA, and a local overlay that has one of them.

import { randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';
import { createLocalOverlay } from '../local/driver.ts';
import type { Overlay, OverlayKind } from '../overlay.ts';
import { credentialFromPem } from '../proof/credential.ts';
import type { Naming } from '../proof/naming.ts';
import { trustFromPem } from '../proof/trust.ts';
import type { Authority, Issued } from './pki.ts';

export interface ProvingOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Absent: proves nothing. */
  readonly identity?: Issued;
  /** Whose proofs are believed; absent: nobody's. */
  readonly trust?: Authority;
  /** As which network it passes. Default local. */
  readonly kind?: OverlayKind;
  readonly naming?: Naming;
  ownIdentities?(): Promise<readonly string[]>;
}

/** A local overlay that behaves, as far as proofs go, like one of another kind. */
export function provingOverlay(options: ProvingOptions): Overlay {
  const { env, identity, trust, kind = 'local', naming = kind === 'local' ? 'x509' : 'ziti', ownIdentities } = options;
  const network = kind === 'local' ? 'local' : 'ziti';
  const credential = identity && credentialFromPem(identity.keyPem + identity.pem, 'identity');
  const bundle = trust && trustFromPem(trust.pem, naming, 'trust');
  const proofs = { network, credential: async () => credential, trust: async () => (bundle ? [bundle] : []) };
  return { ...createLocalOverlay({ env, proofs }), kind, ...(ownIdentities && { ownIdentities }) };
}

/** A connection of which only its binding and its peer's claim matter. */
export function bareConnection(binding: Uint8Array | null = randomBytes(32), claimed?: string): Duplex {
  const duplex = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() });
  return Object.assign(duplex, { binding, peer: claimed === undefined ? {} : { claimed } });
}
