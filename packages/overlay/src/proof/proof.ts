// A proof on the wire (docs/WIRE.md 12), and the bytes that it signs. Whoever reads one reads a stranger's: each part is
// checked for type and size before it is decoded.

import { OverlayError } from '../errors.ts';
import { PROOF_LIMITS } from '../limits.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { malformed } from '../x509/der.ts';

export type Role = 'dialer' | 'host';

/** What a proof is about. Both ends know it. */
export interface Occasion {
  readonly role: Role;
  /** `local`, `ziti`. */
  readonly network: string;
  readonly share: string;
  /** 32 bytes of this connection. */
  readonly binding: Uint8Array;
}

/** As JSON in a preamble. Other keys are other kinds of proof. */
export type ProofOnWire = {
  /** DER in base64, leaf first, without the root. */
  readonly chain: readonly string[];
  /** The binding it was made for, in base64: tells a proof for another connection from a wrong signature. */
  readonly binding: string;
  readonly signature: string;
  /** A host's: identities that serve this share besides. */
  readonly hosts?: readonly string[];
};

export interface Proof {
  readonly chain: readonly Certificate[];
  readonly binding: Buffer;
  readonly signature: Buffer;
  readonly hosts: readonly string[];
}

const DOMAIN = 'mcp-link/1 proof';
export const BINDING_BYTES = 32;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const WHAT = 'the proof of identity';

/** Each part behind its length (4 bytes, big-endian): no two occasions give the same bytes. */
export function signedBytes({ role, network, share, binding }: Occasion): Buffer {
  const parts = [DOMAIN, role, network, share, binding].map((part) => Buffer.from(part));
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

/** Throws `proof_malformed`, `proof_too_large`, `proof_chain_too_long`. */
export function readProof(value: Readonly<Record<string, unknown>>): Proof {
  const { chain, binding, signature, hosts = [] } = value;
  if (!Array.isArray(chain) || chain.length === 0) throw malformed(WHAT, 'has no certificate');
  const { chainCertificates, proofBytes } = PROOF_LIMITS;
  if (chain.length > chainCertificates) {
    const text = `${WHAT} has ${chain.length} certificates, at most ${chainCertificates} are looked at`;
    throw new OverlayError('proof_chain_too_long', text);
  }
  const bytes = JSON.stringify(value).length;
  if (bytes > proofBytes) {
    throw new OverlayError('proof_too_large', `${WHAT} has ${bytes} bytes, at most ${proofBytes} are read`);
  }
  if (!Array.isArray(hosts) || hosts.length > PROOF_LIMITS.hosts || !hosts.every(isHost)) {
    throw malformed(WHAT, 'has a list of hosts that cannot be read');
  }
  const made = decoded(binding);
  if (made.length !== BINDING_BYTES) throw malformed(WHAT);
  return {
    chain: chain.map((one, at) => readCertificate(decoded(one), `certificate ${at + 1} of the proof`)),
    binding: made,
    signature: decoded(signature),
    hosts,
  };
}

function decoded(value: unknown): Buffer {
  if (typeof value !== 'string' || !BASE64.test(value)) throw malformed(WHAT);
  return Buffer.from(value, 'base64');
}

function isHost(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= PROOF_LIMITS.principalChars;
}
