// Caps on everything that a stranger can size in a proof of identity, and on what this user's files may hold. Each has a
// reason here, an error code (./errors.ts) and a test.

export const PROOF_LIMITS = {
  /** Certificates of one proof: a leaf, its issuer, and two above for companies that have them. */
  chainCertificates: 4,
  /** One certificate, DER. RSA-8192 signed by RSA-8192 has 3 KiB. */
  certificateBytes: 8 * 1024,
  /** A proof as JSON: it has to fit into the first line of a link (64 KiB) beside the rest. */
  proofBytes: 48 * 1024,
  /** RSA keys. Below, they are broken; above, one check costs milliseconds, and nobody has such keys. */
  rsaMinBits: 2048,
  rsaMaxBits: 8192,
  /** A large public exponent makes a check as slow as a signature. Everybody uses 65537. */
  rsaMaxExponent: 0xffff_ffff,
  /** Characters of a principal's id: names of certificates are as long as their issuer likes. */
  principalChars: 512,
  /** Host identities that one share may name (`share.hosts`). */
  hosts: 32,
  /** Proofs remembered to tell a replayed one from one for another connection. */
  seenProofs: 4096,
  /** Clocks of two machines may differ by this much. */
  clockSkewMs: 60_000,
} as const;

export const FILE_LIMITS = {
  /** An identity or trust file. A revocation list of 100,000 certificates has 4 MiB. */
  pemBytes: 16 * 1024 * 1024,
  /** CA certificates of one trust file: a bundle, not the web's. */
  trustCertificates: 256,
  /** Shares whose hosts are remembered; beyond, the one not used for the longest time goes. */
  knownShares: 4096,
  /** Peers of one share that nobody decided on; beyond, the one not seen for the longest time goes. */
  undecidedPeers: 1000,
  /** Peers of one share that were let in or denied by hand. */
  decidedPeers: 10_000,
} as const;
